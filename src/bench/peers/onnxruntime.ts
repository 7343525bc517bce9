/** ONNX Runtime Web: products of floats as models of one node, on WebGPU and on the processor (WASM). */
import type { Gpu, Shape } from '../../gpu/index.ts';
import { BUFFER_USAGE } from '../../gpu/index.ts';
import { elapsed, type Timing } from '../measure.ts';
import { assertSame, outputOf } from '../products.ts';
import { type Product, SALT, signs } from '../shapes.ts';
import { oneNodeModel } from './onnx-model.ts';
import {
  firstLine,
  type MissingPeer,
  offerDevice,
  optional,
  type Peer,
  sampled,
  transposed,
} from './peer.ts';

/** The parts of ONNX Runtime Web that are used here. */
interface Ort {
  readonly env: { readonly versions: { readonly web?: string }; readonly wasm: { numThreads?: number } };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly Tensor: {
    new (type: 'float32', values: Float32Array, dims: readonly number[]): OrtTensor;
    fromGpuBuffer(buffer: GPUBuffer, options: { dataType: 'float32'; dims: readonly number[] }): OrtTensor;
  };
}
interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<{ readonly y: OrtTensor }>;
  release(): Promise<void>;
}
interface OrtTensor {
  getData(): Promise<Float32Array>;
  dispose(): void;
}

/** ONNX Runtime on one of its providers, for models of one input `x` and one output `y`. */
export interface OnnxRuntime {
  readonly name: string;
  readonly runsOn: Peer['runsOn'];
  /** @param x the input's values, of extents `dims` */
  open(model: Uint8Array<ArrayBuffer>, x: Float32Array<ArrayBuffer>, dims: Shape): Promise<OnnxModel>;
  dispose(): void;
}

/** A model that is loaded with its input. */
export interface OnnxModel {
  /** @returns milliseconds of so many runs */
  run(repeats: number): Promise<number>;
  result(): Promise<Float32Array<ArrayBuffer>>;
  dispose(): Promise<void>;
}

/** On the processor, in as many threads as it takes by itself. */
export async function onnxOnWasm(gpu: Gpu): Promise<OnnxRuntime | MissingPeer> {
  const name = 'ONNX Runtime Web WASM';
  try {
    const ort = await optional<Ort>('onnxruntime-web');
    return {
      name: `${name} ${ort.env.versions.web ?? ''}`,
      runsOn: 'the processor',
      open: (model, x, dims) => openModel(gpu, ort, 'wasm', model, x, dims),
      dispose: () => {},
    };
  } catch (cause) {
    return { name, reason: firstLine(cause) };
  }
}

/** On the device of `gpu`; what it takes in and gives back stays there. */
export async function onnxOnWebGpu(gpu: Gpu): Promise<OnnxRuntime | MissingPeer> {
  const name = 'ONNX Runtime Web WebGPU';
  const withdraw = offerDevice(gpu);
  const restore = copyShared(gpu.device.queue);
  // The last of its sessions destroys the device.
  gpu.device.destroy = () => undefined;
  const close = () => {
    Reflect.deleteProperty(gpu.device, 'destroy');
    restore();
    withdraw();
  };
  try {
    const ort = await optional<Ort>('onnxruntime-web/webgpu');
    return {
      name: `${name} ${ort.env.versions.web ?? ''}`,
      runsOn: 'the same device',
      open: (model, x, dims) => openModel(gpu, ort, 'webgpu', model, x, dims),
      dispose: close,
    };
  } catch (cause) {
    close();
    return { name, reason: firstLine(cause) };
  }
}

export const openOnnxWasm = (gpu: Gpu) => peerOf(onnxOnWasm(gpu));
export const openOnnxWebGpu = (gpu: Gpu) => peerOf(onnxOnWebGpu(gpu));

async function peerOf(opening: Promise<OnnxRuntime | MissingPeer>): Promise<Peer | MissingPeer> {
  const runtime = await opening;
  if (!('open' in runtime)) return runtime;
  const { name, runsOn } = runtime;
  return {
    ...{ name, runsOn, kinds: ['conv', 'matmul'] },
    time: (product, expected, runs) => timeOnnx(runtime, product, expected, runs),
    dispose: () => runtime.dispose(),
  };
}

/** Dawn for Node takes no views of shared memory, as a WebAssembly with threads has it. @returns how to undo it */
function copyShared(queue: GPUQueue): () => void {
  const prototype = Object.getPrototypeOf(queue) as { writeBuffer: GPUQueue['writeBuffer'] };
  const { writeBuffer } = prototype;
  prototype.writeBuffer = function (this: GPUQueue, buffer, offset, data, from?: number, size?: number) {
    const copied =
      ArrayBuffer.isView(data) && !(data.buffer instanceof ArrayBuffer)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
        : data;
    return writeBuffer.call(this, buffer, offset, copied as Uint8Array<ArrayBuffer>, from, size);
  };
  return () => {
    prototype.writeBuffer = writeBuffer;
  };
}

async function openModel(
  gpu: Gpu,
  ort: Ort,
  provider: 'wasm' | 'webgpu',
  model: Uint8Array<ArrayBuffer>,
  x: Float32Array<ArrayBuffer>,
  dims: Shape,
): Promise<OnnxModel> {
  const onGpu = provider === 'webgpu';
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider],
    ...(onGpu ? { preferredOutputLocation: 'gpu-buffer' } : {}),
  });
  const upload = () => {
    const { STORAGE, COPY_SRC, COPY_DST } = BUFFER_USAGE;
    const made = gpu.createBuffer('input of ONNX Runtime', x.byteLength, STORAGE | COPY_SRC | COPY_DST);
    gpu.device.queue.writeBuffer(made.buffer, 0, x);
    return made;
  };
  const uploaded = onGpu ? upload() : undefined;
  const input =
    uploaded === undefined
      ? new ort.Tensor('float32', x, dims)
      : ort.Tensor.fromGpuBuffer(uploaded.buffer, { dataType: 'float32', dims });
  return {
    async run(repeats) {
      const outs: OrtTensor[] = [];
      const start = performance.now();
      for (let i = 0; i < repeats; i++) outs.push((await session.run({ x: input })).y);
      const time = performance.now() - start + (onGpu ? await elapsed(gpu, () => {}) : 0);
      for (const out of outs) out.dispose();
      return time;
    },
    async result() {
      const { y } = await session.run({ x: input });
      const values = Float32Array.from(await y.getData());
      y.dispose();
      return values;
    },
    async dispose() {
      uploaded?.release();
      await session.release();
    },
  };
}

async function timeOnnx(
  runtime: OnnxRuntime,
  product: Product,
  expected: Float32Array<ArrayBuffer>,
  runs: number,
): Promise<Timing> {
  const { model, x, dims, yDims } = asModel(product);
  const opened = await runtime.open(model, x, dims);
  try {
    const values = await opened.result();
    const [batch = 1, channels = 1, height = 1, width = 1] = yDims;
    const rows = product.kind === 'conv' ? swapInner(values, batch, channels, height * width) : values;
    assertSame(product.name, expected, rows, 'ONNX Runtime Web');
    return await sampled(runs, (repeats) => opened.run(repeats));
  } finally {
    await opened.dispose();
  }
}

/** The product as ONNX has it: images [N, C, H, W] and filters [O, C, H, W]. */
function asModel(product: Product): {
  model: Uint8Array<ArrayBuffer>;
  x: Float32Array<ArrayBuffer>;
  dims: Shape;
  yDims: Shape;
} {
  const a = signs(product.a, SALT.a);
  const w = signs(product.w, SALT.w);
  const out = outputOf(product);
  if (product.kind === 'matmul') {
    const [n = 1, k = 1] = product.w;
    const model = oneNodeModel({
      operator: 'MatMul',
      attributes: {},
      x: product.a,
      constants: { w: { shape: [k, n], values: transposed(w, n, k) } },
      y: out,
    });
    return { model, x: a, dims: product.a, yDims: out };
  }
  const [batch = 1, height = 1, width = 1, channels = 1] = product.a;
  const [filters = 1, kernelHeight = 1, kernelWidth = 1] = product.w;
  const dims = [batch, channels, height, width];
  const yDims = [batch, filters, height, width];
  const model = oneNodeModel({
    operator: 'Conv',
    attributes: { kernel_shape: [kernelHeight, kernelWidth], pads: [1, 1, 1, 1] },
    x: dims,
    constants: {
      w: {
        shape: [filters, channels, kernelHeight, kernelWidth],
        values: swapInner(w, filters, kernelHeight * kernelWidth, channels),
      },
    },
    y: yDims,
  });
  return { model, x: swapInner(a, batch, height * width, channels), dims, yDims };
}

/** [outer, rows, columns] to [outer, columns, rows]. */
function swapInner(
  values: Float32Array<ArrayBuffer>,
  outer: number,
  rows: number,
  columns: number,
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  const size = rows * columns;
  for (let i = 0; i < outer; i++) {
    result.set(transposed(values.subarray(i * size, (i + 1) * size), rows, columns), i * size);
  }
  return result;
}
