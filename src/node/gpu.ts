/**
 * WebGPU in Node, without a display: Dawn (the npm package `webgpu`) on the machine's own driver, or, where there is
 * none, on SwiftShader, the software Vulkan driver that `@sparticuz/chromium` carries. A driver that the Vulkan loader's
 * own variables name is taken even where it is software; so is Mesa's llvmpipe, which is the faster of the two.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isMainThread } from 'node:worker_threads';
import { createBrotliDecompress } from 'node:zlib';
import { extract } from 'tar';
import { NoAdapterError, StorageError, WebGpuUnavailableError } from '../errors.ts';
import { Gpu } from '../gpu/index.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';
import { cacheFolder } from './cache.ts';
import { choicesFile } from './choices.ts';
import { folderOf, importHeadless, SETUP } from './headless.ts';
import { nappingUntil } from './naps.ts';
import { partialPath, sweepPartials } from './partial.ts';

/** Which adapter a program in Node takes. */
export interface NodeGpuOptions {
  /**
   * `auto` (default) takes hardware where there is some, else a driver that VK_DRIVER_FILES or VK_ICD_FILENAMES names or Mesa's
   * llvmpipe (26 or newer), else the bundled software adapter, SwiftShader; `software` takes that one.
   */
  readonly adapter?: 'auto' | 'hardware' | 'software';
  /**
   * Dawn toggles to switch on, e.g. `disable_robustness`; those of WEBGPU_BNN_TOGGLES (with commas between them) when absent.
   * Name them wherever a number is reported.
   */
  readonly toggles?: readonly string[];
}

const OPTIONS = namesOf<NodeGpuOptions>({ adapter: true, toggles: true });
const ADAPTERS: readonly string[] = ['auto', 'hardware', 'software'] satisfies NodeGpuOptions['adapter'][];

/**
 * Acquires a GPU for headless work.
 * @throws WebGpuUnavailableError when Dawn can't be loaded, NoAdapterError when no adapter fits
 * @example
 * ```ts
 * import { requestGpu } from 'webgpu-bnn/node';
 *
 * const gpu = await requestGpu();
 * console.log(gpu.adapter.description);
 * gpu.dispose();
 * ```
 */
export async function requestGpu(options: NodeGpuOptions = {}): Promise<Gpu> {
  assertKnownOptions(options, OPTIONS, 'requestGpu');
  const gpu = await findGpu(options);
  gpu.choices.keepIn(choicesFile(cacheFolder()), gpu.adapterKey);
  return gpu;
}

async function findGpu(options: NodeGpuOptions): Promise<Gpu> {
  const wanted = options.adapter ?? 'auto';
  if (!ADAPTERS.includes(wanted)) throw unknownName('adapter', wanted, ADAPTERS, 'requestGpu');
  const toggles = options.toggles ?? defaultToggles();
  const flags = toggles.length > 0 ? [`enable-dawn-features=${toggles.join(',')}`] : [];
  const dawn = await loadDawn();

  if (wanted !== 'software' && hasSystemDriver()) {
    preloadVulkanLoader();
    const gpu = dawn.create(flags);
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    const software =
      adapter === null || adapter.info.isFallbackAdapter === true || adapter.info.vendor === 'google';
    if (!software || wanted === 'hardware')
      return Gpu.request({ gpu, requireHardware: wanted === 'hardware' });
    // The system's own software adapter will do where it was asked for by name, is the faster one, or none is bundled.
    const named = namedDrivers() !== undefined;
    if (adapter !== null && (named || isFastSoftware(adapter.info) || !isBundledPlatform()))
      return Gpu.request({ gpu, waitForSoftware: nappingUntil });
  }
  if (wanted === 'hardware') {
    throw new NoAdapterError('No GPU driver was found on this machine.', {
      expected: 'a Vulkan driver (an ICD file below /usr/share/vulkan or /etc/vulkan)',
      remedy: "install your GPU's Vulkan driver, or use the software adapter",
    });
  }
  if (!isBundledPlatform()) {
    throw new NoAdapterError('There is no adapter, and the bundled software adapter is for Linux x64 only.', {
      given: `${process.platform} ${process.arch}`,
      remedy: 'use a machine with a GPU',
    });
  }
  const folder = await softwareAdapterFolder();
  preloadVulkanLoader(folder);
  const restore = nameDriver(join(folder, DRIVER_FILE));
  try {
    return await Gpu.request({ gpu: dawn.create(flags), waitForSoftware: nappingUntil });
  } catch (cause) {
    throw cause instanceof NoAdapterError ? softwareNotFound(folder, cause) : cause;
  } finally {
    restore();
  }
}

/** What to do where the bundled driver was named in `process.env`, and the Vulkan loader didn't see it. */
function softwareNotFound(folder: string, cause: NoAdapterError): NoAdapterError {
  const variables = `LD_LIBRARY_PATH=${folder} VK_DRIVER_FILES=${join(folder, DRIVER_FILE)}`;
  const { bun, deno } = process.versions;
  const [given, remedy] =
    bun !== undefined
      ? [`Bun ${bun}`, `set these before it starts: ${variables} bun ...`]
      : deno !== undefined
        ? [`Deno ${deno}`, `set these before it starts: ${variables} deno run ...`]
        : !isMainThread
          ? [
              'a worker of Node, whose process.env is a copy',
              `make it with new Worker(file, { env: SHARE_ENV }), or set these before Node starts: ${variables}`,
            ]
          : [`Node ${process.version}`, `set these before it starts: ${variables}`];
  return new NoAdapterError("The bundled software adapter is there, but WebGPU doesn't find it.", {
    given,
    expected: `${join(folder, DRIVER_FILE)} to be known to the Vulkan loader`,
    remedy,
    cause,
  });
}

/** Beside SwiftShader, what tells the Vulkan loader of it. */
const DRIVER_FILE = 'vk_swiftshader_icd.json';

/** Dawn toggles that the environment asks for. */
function defaultToggles(): string[] {
  return (process.env.WEBGPU_BNN_TOGGLES ?? '').split(',').filter(Boolean);
}

/**
 * Whether it is Mesa's llvmpipe, of a version that passes the tests: 26 does, and is several times as fast as SwiftShader; 25.0
 * stops while it compiles a product of matrices.
 */
export function isFastSoftware({ description }: Pick<GPUAdapterInfo, 'description'>): boolean {
  const [, major = '0'] = /llvmpipe: Mesa (\d+)\./.exec(description) ?? [];
  return Number(major) >= 26;
}

/** Whether `@sparticuz/chromium` carries a software adapter for this machine. */
function isBundledPlatform(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}

/** The variables by which the Vulkan loader is told what drivers there are, when an instance is made. */
const DRIVER_VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/** Drivers that were named to the Vulkan loader, with colons between them. */
function namedDrivers(): string | undefined {
  return DRIVER_VARIABLES.map((name) => process.env[name]).find(Boolean);
}

/** Leaves the Vulkan loader one driver to find. @returns how to undo it, so that a later request sees the machine as it is */
function nameDriver(file: string): () => void {
  const before = DRIVER_VARIABLES.map((name) => [name, process.env[name]] as const);
  for (const name of DRIVER_VARIABLES) process.env[name] = file;
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

/** Unpacks `archive` (tar, brotli) into `cacheFolder()/name` once; a half-done unpacking is never seen. @throws StorageError */
export async function unpackOnce(archive: string, name: string): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  const partial = partialPath(folder);
  try {
    mkdirSync(dirname(folder), { recursive: true });
    sweepPartials(folder);
    mkdirSync(partial);
    // Not strict, it would only warn of a full disk, and half a driver would stay in the cache.
    const unpack = extract({ cwd: partial, strict: true });
    await pipeline(Readable.from([readFileSync(archive)]), createBrotliDecompress(), unpack);
    renameSync(partial, folder);
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    // Another process may have been faster; its copy is as good.
    if (existsSync(folder)) return folder;
    throw new StorageError('The software adapter could not be unpacked.', {
      given: String(cause),
      where: folder,
      remedy: 'free some space there, or name another folder with WEBGPU_BNN_CACHE',
      cause,
    });
  }
  return folder;
}

/** Folder of `@sparticuz/chromium`'s archives, and its version. @throws NoAdapterError where it isn't installed */
export function chromiumPackage(): { bin: string; version: string } {
  const root = folderOf('@sparticuz/chromium');
  if (root === undefined) {
    throw new NoAdapterError('The package that carries the software adapter is not installed.', {
      expected: '@sparticuz/chromium',
      remedy: `${SETUP}, which gets it`,
    });
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { bin: join(root, 'bin'), version };
}

/** Folder of SwiftShader and a Vulkan loader, unpacked. @throws NoAdapterError, StorageError */
export async function softwareAdapterFolder(): Promise<string> {
  const { bin, version } = chromiumPackage();
  return unpackOnce(join(bin, 'swiftshader.tar.br'), `swiftshader-${version}`);
}

interface Dawn {
  create(flags: string[]): GPU;
}

/** Dawn's instances, which must outlive their devices: collecting one that is in use ends the process. */
const instances: GPU[] = [];

async function loadDawn(): Promise<Dawn> {
  let module: typeof import('webgpu') | undefined;
  try {
    module = await importHeadless<typeof import('webgpu')>('webgpu');
  } catch (cause) {
    throw new WebGpuUnavailableError("Dawn, WebGPU's implementation for Node, can't be loaded.", {
      given: String(cause),
      where: folderOf('webgpu'),
      remedy: 'use Linux, macOS or Windows, x64 or arm64, or install the package webgpu anew',
      cause,
    });
  }
  if (module === undefined) {
    throw new WebGpuUnavailableError("Dawn, WebGPU's implementation for Node, is not installed.", {
      expected: 'the package webgpu',
      remedy: `${SETUP}, which gets it`,
    });
  }
  const { create, globals } = module;
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return {
    create: (flags) => {
      const gpu = create(flags);
      instances.push(gpu);
      return gpu;
    },
  };
}

/** Whether a Vulkan driver is installed. Asking Dawn without one makes it print warnings. */
export function hasSystemDriver(): boolean {
  if (process.platform !== 'linux') return true;
  const named = namedDrivers();
  if (named) return named.split(':').some((path) => existsSync(path));
  const folders = ['/usr/share', '/usr/local/share', '/etc'].map((root) => join(root, 'vulkan', 'icd.d'));
  return folders.some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}

/**
 * Loads the Vulkan loader under the name by which Dawn asks for it: the system's, or else the one beside SwiftShader.
 * `process.dlopen` complains that it is no Node addon, but with RTLD_NODELETE the library stays in the process.
 */
function preloadVulkanLoader(folder?: string): void {
  if (process.platform !== 'linux') return;
  const RTLD_NOW_GLOBAL_NODELETE = 0x2 | 0x100 | 0x1000;
  const load = (path: string): boolean => {
    try {
      process.dlopen({ exports: {} }, path, RTLD_NOW_GLOBAL_NODELETE);
      return true;
    } catch (cause) {
      return cause instanceof Error && cause.message.includes('did not self-register');
    }
  };
  if (!load('libvulkan.so.1') && folder !== undefined) load(join(folder, 'libvulkan.so.1'));
}
