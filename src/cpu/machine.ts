/** The compiled kernels, and a memory for a network. */
import { OutOfMemoryError, WebAssemblyUnavailableError } from '../errors.ts';
import { LIMITS, MODULE } from './module.ts';

/** What the module exports. */
export interface Kernels {
  work(record: number, first: number, end: number, scratch: number): void;
  count(
    loop: number,
    rows: number,
    height: number,
    stride: number,
    filters: number,
    width: number,
    words: number,
    out: number,
  ): void;
}

const PAGE = 65536;

/** Compiled once a process, for each kind of memory. */
const compiled = new Map<boolean, Promise<WebAssembly.Module>>();

/**
 * The compiled module.
 * @param shared whether threads are to share the memory
 * @throws WebAssemblyUnavailableError where there are no vectors of 128 bits, or a page forbids WebAssembly
 */
export function kernelModule(shared: boolean): Promise<WebAssembly.Module> {
  let module = compiled.get(shared);
  if (module === undefined) {
    module = compile(shared);
    compiled.set(shared, module);
    module.catch(() => compiled.delete(shared));
  }
  return module;
}

async function compile(shared: boolean): Promise<WebAssembly.Module> {
  const isHere = typeof WebAssembly === 'object' && typeof DecompressionStream === 'function';
  const bytes = isHere ? await inflated(MODULE) : new Uint8Array();
  if (shared) bytes[LIMITS] = 3;
  if (!isHere || !WebAssembly.validate(bytes)) {
    throw new WebAssemblyUnavailableError('There is no WebAssembly with vectors of 128 bits here.', {
      expected: 'Chrome 91, Firefox 113, Safari 16.4, Node 18 or newer',
      where: 'the WebAssembly engine',
      remedy: 'a newer browser, or a GPU',
    });
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new WebAssemblyUnavailableError('WebAssembly was refused.', {
      where: 'the WebAssembly engine',
      remedy: "a page's Content-Security-Policy must have script-src 'wasm-unsafe-eval'",
      cause,
    });
  }
}

/** The bytes of the carried module. */
export async function inflated(module: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(module), (character) => character.charCodeAt(0));
  const { readable, writable } = new DecompressionStream('deflate');
  const writer = writable.getWriter();
  const written = writer.write(packed).then(() => writer.close());
  const reader = readable.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  // Not by a Response, for which Node would load all of its fetch; nor by `for await`, which Safari's streams don't know.
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  await written;
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** @throws OutOfMemoryError */
export function memoryOf(bytes: number, most: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({
      initial: Math.ceil(bytes / PAGE),
      maximum: Math.ceil(most / PAGE),
      ...{ shared },
    });
  } catch (cause) {
    throw outOfMemory(bytes, cause);
  }
}

/** @throws OutOfMemoryError */
export function grow(memory: WebAssembly.Memory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
  if (missing <= 0) return;
  try {
    memory.grow(missing);
  } catch (cause) {
    throw outOfMemory(bytes, cause);
  }
}

function outOfMemory(bytes: number, cause: unknown): OutOfMemoryError {
  return new OutOfMemoryError('There is not enough memory for this network.', {
    given: `${bytes} bytes`,
    expected: 'less than 4 GiB, and what the machine has',
    where: 'the WebAssembly engine',
    remedy: 'fewer samples at once, or a smaller network',
    cause,
  });
}

/** An instance of the kernels on a memory. */
export async function kernelsOn(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Kernels> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  return exports as unknown as Kernels;
}
