/** The two backward products, of real gradients with signs, beside this library's own f32 products of the same shapes. */
import { type Gpu, ProgramBuilder, type Tensor } from '../gpu/index.ts';
import * as ops from '../ops/index.ts';
import type { Ceilings } from './ceilings.ts';
import { Job, type SampleOptions, type Timing, timeJob, timeOnGpu } from './measure.ts';
import { assertSame, compared, outputOf, packInto } from './products.ts';
import { type Product, SALT, signs, wholeNumbers } from './shapes.ts';

/** With respect to which operand of the forward product a gradient is. */
export type Operand = 'input' | 'weights';

export interface BackwardResult {
  readonly id: string;
  readonly name: string;
  readonly gradientOf: Operand;
  readonly macs: number;
  readonly binary: Timing;
  readonly binaryOnGpu?: Timing | undefined;
  readonly float: Timing;
  readonly floatOnGpu?: Timing | undefined;
  /** Median f32 time over median time with signs, by the same clock: 1 or more is "not slower". */
  readonly ratio: number;
  /** Bytes of the operands. */
  readonly bytesRead: { readonly binary: number; readonly float: number };
  /** Multiply-adds a second, of which a gradient that a sign is applied to counts as one, over the ceiling. */
  readonly shares: { readonly binary: number; readonly float: number };
}

/** @throws GpuValidationError where the forms differ: gradients are small whole numbers, so all sums are exact */
export async function benchBackward(
  gpu: Gpu,
  product: Product,
  ceilings: Pick<Ceilings, 'multiplyAdds'>,
  options: SampleOptions,
): Promise<BackwardResult[]> {
  const outShape = outputOf(product);
  using a = gpu.tensor('a', product.a, 'f32', signs(product.a, SALT.a));
  using w = gpu.tensor('w', product.w, 'f32', signs(product.w, SALT.w));
  using g = gpu.tensor('gradient', outShape, 'f32', wholeNumbers(outShape, SALT.g));
  using aBits = gpu.tensor('a', product.a, 'bits');
  using wBits = gpu.tensor('w', product.w, 'bits');
  await packInto(gpu, [
    [a, aBits],
    [w, wBits],
  ]);
  const { input, weights } = geometryOf(product);
  const conv = product.kind === 'conv';
  const forms = [
    {
      gradientOf: 'input',
      signs: wBits,
      reals: w,
      binary: (b: ProgramBuilder) => recordGradient(b, product, 'input', g, wBits),
      float: (b: ProgramBuilder) => (conv ? ops.conv2dGradInput(b, g, w, input) : ops.matMul(b, g, w)),
    },
    {
      gradientOf: 'weights',
      signs: aBits,
      reals: a,
      binary: (b: ProgramBuilder) => recordGradient(b, product, 'weights', g, aBits),
      float: (b: ProgramBuilder) =>
        conv ? ops.conv2dGradWeights(b, g, a, weights) : ops.matMul(b, g, a, { transposeA: true }),
    },
  ] as const;

  const results: BackwardResult[] = [];
  for (const form of forms) {
    const name = `${product.name}: gradient of ${form.gradientOf}`;
    const [binary, binaryOnGpu, values] = await timed(gpu, name, form.binary, options);
    const [float, floatOnGpu, expected] = await timed(gpu, name, form.float, options);
    assertSame(name, values, expected, "this library's f32 kernel");
    const [binaryBest, floatBest] = compared(gpu, [binary, float], [binaryOnGpu, floatOnGpu]);
    const share = ({ median }: Timing) => (1000 * product.macs) / median / ceilings.multiplyAdds.perSecond;
    results.push({
      id: product.id,
      name,
      gradientOf: form.gradientOf,
      macs: product.macs,
      binary,
      binaryOnGpu,
      float,
      floatOnGpu,
      ratio: floatBest.median / binaryBest.median,
      bytesRead: {
        binary: g.byteLength + form.signs.byteLength,
        float: g.byteLength + form.reals.byteLength,
      },
      shares: { binary: share(binaryBest), float: share(floatBest) },
    });
  }
  return results;
}

/**
 * Records the form with signs.
 * @param g the gradient of the forward product's result
 * @param other bits, the forward product's other operand
 */
export function recordGradient(
  b: ProgramBuilder,
  product: Product,
  gradientOf: Operand,
  g: Tensor,
  other: Tensor,
): Tensor {
  const { input, weights } = geometryOf(product);
  if (product.kind !== 'conv') {
    const record = gradientOf === 'input' ? ops.binaryMatMulGradInput : ops.binaryMatMulGradWeights;
    return record(b, g, other);
  }
  return gradientOf === 'input'
    ? ops.binaryConv2dGradInput(b, g, other, input)
    : ops.binaryConv2dGradWeights(b, g, other, weights);
}

function geometryOf(product: Product) {
  const windows = { padding: 'same', padValue: product.padValue } as const;
  return {
    input: { ...windows, inputShape: product.a },
    weights: { ...windows, filterShape: product.w },
  };
}

async function timed(
  gpu: Gpu,
  name: string,
  record: (builder: ProgramBuilder) => Tensor,
  options: SampleOptions,
): Promise<[Timing, Timing | undefined, Float32Array]> {
  const builder = new ProgramBuilder(gpu, name);
  const out = builder.keep(record(builder));
  using job = new Job([await builder.compile()]);
  const time = await timeJob(gpu, job, options);
  return [time, await timeOnGpu(job, gpu.adapter.software ? 1 : options.runs), await gpu.readFloats(out)];
}
