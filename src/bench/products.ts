/** Matrix products and convolutions in two forms, of signs and of floats, on the same values of ±1. */

import { GpuValidationError } from '../errors.ts';
import { type DType, type Gpu, ProgramBuilder, type Shape, Tensor } from '../gpu/index.ts';
import { npx } from '../npx.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { Job, LONGEST_SUBMIT, type SampleOptions, type Timing, timeJob, timeOnGpu } from './measure.ts';
import { type Product, SALT, signs } from './shapes.ts';

export interface ProductResult {
  readonly id: string;
  readonly name: string;
  readonly macs: number;
  /** Bytes of packed operands and result. */
  readonly bytes: number;
  /** Bytes of operands and result of the f32 form. */
  readonly floatBytes: number;
  /** What the binary form dispatches, in order. */
  readonly kernels: readonly string[];
  readonly binary: Timing;
  /** By the timestamps of the GPU, where there are any. */
  readonly binaryOnGpu?: Timing | undefined;
  readonly float: Timing;
  readonly floatOnGpu?: Timing | undefined;
  /** Submits that one run takes: more than one where a single one could look like a hang. */
  readonly parts: { readonly binary: number; readonly float: number };
  /** Median f32 time over median binary time, by the same clock. */
  readonly ratio: number;
  readonly shares: {
    /** Popcounts a second that plain counting would need for the binary time, over the ceiling. */
    readonly popcounts: number;
    /** Bytes of operands and result a second, over the copy's. */
    readonly memory: number;
    /** Multiply-adds a second of the f32 form, over the ceiling. */
    readonly multiplyAdds: number;
  };
}

export interface ProductOptions extends SampleOptions {
  /** Called with the common result, to compare more with it. */
  readonly also?: (result: Float32Array<ArrayBuffer>) => Promise<void>;
}

/** By which clock two forms are compared: the GPU's own where both have it, since the host's counts what it takes to submit. */
export function compared(
  gpu: Gpu,
  host: readonly [Timing, Timing],
  onGpu: readonly [Timing | undefined, Timing | undefined],
): readonly [Timing, Timing] {
  const [first, second] = onGpu;
  // A software adapter's timestamps are the host's clock once more, with a pass around every dispatch.
  return gpu.adapter.software || first === undefined || second === undefined ? host : [first, second];
}

/**
 * Times both forms of a product and compares all that they computed.
 * @throws GpuValidationError where the forms differ
 */
export async function benchProduct(
  gpu: Gpu,
  product: Product,
  ceilings: Ceilings,
  options: ProductOptions,
): Promise<ProductResult> {
  using a = gpu.tensor('a', product.a, 'f32', signs(product.a, SALT.a));
  using w = gpu.tensor('w', product.w, 'f32', signs(product.w, SALT.w));
  using aBits = gpu.tensor('a', product.a, 'bits');
  using wBits = gpu.tensor('w', product.w, 'bits');
  await packInto(gpu, [
    [a, aBits],
    [w, wBits],
  ]);
  const outShape = outputOf(product);
  using binaryOut = gpu.tensor('binary result', outShape, 'f32');
  using floatOut = gpu.tensor('float result', outShape, 'f32');
  const windows = { padding: 'same', padValue: product.padValue } as const;
  using binaryJob = await binaryForm(gpu, product, ceilings, aBits, wBits, binaryOut);
  using floatJob = await inParts(
    gpu,
    `float ${product.name}`,
    [a, floatOut],
    milliseconds(product, ceilings, 'float'),
    (builder, [x, out]) => {
      if (product.kind === 'conv') ops.conv2d(builder, x, w, { ...windows, out });
      else ops.matMul(builder, x, w, { transposeB: true, out });
    },
  );
  const binary = await timeJob(gpu, binaryJob, options);
  const float = await timeJob(gpu, floatJob, options);
  const stamped = Math.min(options.runs, 3);
  const binaryOnGpu = await timeOnGpu(binaryJob, stamped);
  const floatOnGpu = await timeOnGpu(floatJob, gpu.adapter.software ? 1 : stamped);

  const result = await gpu.readFloats(binaryOut);
  assertSame(product.name, result, await gpu.readFloats(floatOut), "this library's f32 kernel");
  await options.also?.(result);
  const [binaryBest, floatBest] = compared(gpu, [binary, float], [binaryOnGpu, floatOnGpu]);
  const seconds = binaryBest.median / 1000;
  const floatSeconds = floatBest.median / 1000;
  const bytes = aBits.byteLength + wBits.byteLength + binaryOut.byteLength;
  return {
    id: product.id,
    name: product.name,
    macs: product.macs,
    bytes,
    kernels: binaryJob.kernels,
    floatBytes: a.byteLength + w.byteLength + floatOut.byteLength,
    binary,
    binaryOnGpu,
    float,
    floatOnGpu,
    parts: { binary: binaryJob.parts, float: floatJob.parts },
    ratio: floatSeconds / seconds,
    shares: {
      popcounts: product.macs / 32 / seconds / ceilings.popcounts.perSecond,
      memory: bytes / seconds / ceilings.copy.perSecond,
      multiplyAdds: product.macs / floatSeconds / ceilings.multiplyAdds.perSecond,
    },
  };
}

/**
 * Times the binary form alone, beside what else is measured by then: machines have slow and fast spells, so that times
 * from one end of a run say little of those from the other.
 * @throws GpuValidationError where what it computed isn't `expected`
 */
export async function timeBinary(
  gpu: Gpu,
  product: Product,
  expected: Float32Array<ArrayBuffer>,
  ceilings: Ceilings,
  options: SampleOptions,
): Promise<Timing> {
  using a = await packedSigns(gpu, product.a, SALT.a);
  using w = await packedSigns(gpu, product.w, SALT.w);
  using out = gpu.tensor('binary result', outputOf(product), 'f32');
  using job = await binaryForm(gpu, product, ceilings, a, w, out);
  const time = await timeJob(gpu, job, options);
  assertSame(product.name, await gpu.readFloats(out), expected, "this library's f32 kernel");
  return time;
}

async function packedSigns(gpu: Gpu, shape: Shape, salt: number): Promise<Tensor> {
  using reals = gpu.tensor('signs', shape, 'f32', signs(shape, salt));
  const bits = gpu.tensor('packed signs', shape, 'bits');
  await packInto(gpu, [[reals, bits]]);
  return bits;
}

function binaryForm(gpu: Gpu, product: Product, ceilings: Ceilings, a: Tensor, w: Tensor, out: Tensor) {
  const expected = milliseconds(product, ceilings, 'binary');
  return inParts(gpu, `binary ${product.name}`, [a, out], expected, (builder, [x, part]) =>
    recordProduct(builder, product, x, w, part),
  );
}

/** Records the binary form. */
export function recordProduct(
  b: ProgramBuilder,
  product: Product,
  a: Tensor,
  w: Tensor,
  out?: Tensor,
): Tensor {
  const windows = { padding: 'same', padValue: product.padValue, out } as const;
  return product.kind === 'conv' ? ops.binaryConv2d(b, a, w, windows) : ops.binaryMatMul(b, a, w, { out });
}

export function outputOf({ kind, a, w }: Product): Shape {
  return kind === 'conv' ? [...a.slice(0, 3), w[0] ?? 1] : [a[0] ?? 1, w[0] ?? 1];
}

/** Packs signs, before anything is timed. */
export async function packInto(
  gpu: Gpu,
  pairs: readonly (readonly [x: Tensor, bits: Tensor])[],
): Promise<void> {
  const builder = new ProgramBuilder(gpu, 'pack');
  for (const [x, out] of pairs) ops.packSigns(builder, x, { out });
  using program = await builder.compile();
  program.run();
  await gpu.finished();
}

/** How long a product may take at worst: far from its ceiling. */
function milliseconds(product: Product, ceilings: Ceilings, form: 'binary' | 'float'): number {
  const rate = form === 'binary' ? 32 * ceilings.popcounts.perSecond : ceilings.multiplyAdds.perSecond;
  return (1000 * product.macs) / (0.1 * rate);
}

/**
 * Compiles a product in as many parts as keep every submit short, each of some of its rows or images.
 * @param tensors the left operand and the result, which are parted along their first axis
 * @param estimate milliseconds that the whole may take
 * @param record records the product of a part of the operand into a part of the result
 */
export async function inParts(
  gpu: Gpu,
  label: string,
  tensors: readonly [Tensor, Tensor],
  estimate: number,
  record: (builder: ProgramBuilder, parts: readonly [Tensor, Tensor]) => void,
): Promise<Job> {
  const rows = tensors[0].shape[0] ?? 1;
  const wanted = Math.ceil(estimate / LONGEST_SUBMIT);
  const granule = Math.max(...tensors.map((tensor) => alignedRows(tensor, gpu)));
  const rowsOfPart = granule * Math.max(1, Math.floor(rows / wanted / granule));
  const builders: ProgramBuilder[] = [];
  for (let first = 0; first < rows; first += rowsOfPart) {
    const count = Math.min(rowsOfPart, rows - first);
    const builder = new ProgramBuilder(gpu, label);
    const [x, out] = tensors;
    record(builder, count === rows ? tensors : [partOf(x, first, count), partOf(out, first, count)]);
    builders.push(builder);
  }
  return new Job(await Promise.all(builders.map((builder) => builder.compile())));
}

/** Of how many rows, a power of two, a part must be a multiple so that it may be bound. */
function alignedRows(tensor: Tensor, gpu: Gpu): number {
  const bytes = tensor.byteLength / (tensor.shape[0] ?? 1);
  let rows = 1;
  while ((rows * bytes) % gpu.limits.minStorageBufferOffsetAlignment !== 0) rows *= 2;
  return rows;
}

function partOf(tensor: Tensor, first: number, count: number): Tensor {
  const [rows = 1, ...rest] = tensor.shape;
  const { buffer, offset } = tensor.placement;
  const dtype: DType = tensor.dtype;
  return Tensor.view(
    tensor.label,
    [count, ...rest],
    dtype,
    buffer,
    offset + (first * tensor.byteLength) / rows,
  );
}

/** Sums of whole numbers are exact in f32, so all forms must agree to the bit. @throws GpuValidationError at the first difference */
export function assertSame(name: string, got: Float32Array, expected: Float32Array, whose: string): void {
  const wrong =
    got.length === expected.length ? got.findIndex((value, i) => value !== expected[i]) : got.length;
  if (wrong < 0) return;
  throw new GpuValidationError('The binary kernel computed something else than its f32 counterpart.', {
    given: String(got[wrong]),
    expected: `${expected[wrong]}, by ${whose}`,
    where: `${name}, element ${wrong}`,
    remedy: `run ${npx('doctor')}; if it finds nothing, report this as a bug`,
  });
}
