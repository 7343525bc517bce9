/** Products in WebAssembly against their twins, by every loop: the grid that the kernels of the GPU run, and random cases. */
import { afterEach, describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { LOOPS, pinLoop } from '../src/cpu/loops.ts';
import { sizeOf } from '../src/gpu/index.ts';
import { apply, input, model, type ParameterValue } from '../src/graph/index.ts';
import { binaryConv2d } from '../src/layers/index.ts';
import { finishReals, finishSigns } from '../src/numerics/epilogue.ts';
import { packSigns, unpackSigns } from '../src/numerics/pack.ts';
import { uniform01 } from '../src/numerics/random.ts';
import * as reference from '../src/reference/conv.ts';
import { LARQ_CORNERS, LARQ_GRID, LARQ_LONG_SUMS, resolveCase } from './helpers/convolutions.ts';
import { type Case, nameOf, parametersOf, randomCases, withEpilogues, words } from './helpers/fused.ts';
import { expectClose, expectSame } from './helpers/gpu.ts';

afterEach(() => pinLoop(undefined));

/** A network of one layer against the twin. @returns values that were compared */
async function check(shape: Case, seed: number): Promise<number> {
  const geometry = resolveCase(shape);
  const { batch, outHeight, outWidth, outChannels, channels, groups } = geometry;
  const [, height, width] = geometry.inputShape;
  const [filters, kernelHeight, kernelWidth] = shape.filter;
  const each = channels / groups;
  const a = words(batch * geometry.height * geometry.width, seed, channels);
  const w = words(filters * kernelHeight * kernelWidth, seed + 1, each);
  const { direction, threshold, multiplier, bias, slope } = parametersOf(
    filters,
    2 * Math.sqrt(kernelHeight * kernelWidth * each),
    seed,
  );
  const outSize = [outHeight, outWidth, outChannels] as const;
  const residual = Float32Array.from(
    { length: batch * sizeOf(outSize) },
    (_, i) => 20 * uniform01(seed, 8, i) - 10,
  );
  const x = input([height ?? 1, width ?? 1, channels]);
  const added = input(outSize);
  const { output, activation, strides, dilations, padding, padValue, prelu = false } = shape;
  const hasResidual = output === 'real' && shape.residual === true;
  const isSteep = output === 'real' && prelu;
  const layer = binaryConv2d({
    ...{ name: 'product', filters, kernelSize: [kernelHeight, kernelWidth], groups, output },
    ...(activation && { activation }),
    ...{ strides, dilations, padding, padValue },
    ...(output === 'real' && { residual: hasResidual, prelu: isSteep }),
  });
  const built = model({
    input: new Map(
      hasResidual
        ? [
            ['x', x],
            ['added', added],
          ]
        : [['x', x]],
    ),
    output: new Map([['y', hasResidual ? apply(layer, x, added) : apply(layer, x)]]),
  });
  const given =
    output === 'signs' ? { direction, threshold } : { multiplier, bias, ...(isSteep && { slope }) };
  const kernelShape = [filters, kernelHeight, kernelWidth, each];
  const values = new Map<string, ParameterValue>([
    ['product/kernel', { words: w, shape: kernelShape }],
    ...Object.entries(given).map(([name, value]) => [`product/${name}`, value] as const),
  ]);
  const network = await CpuNetwork.create(built, values, { threads: 1 });
  const signs = Float32Array.from(unpackSigns(a, batch * geometry.height * geometry.width, channels));
  const { y } = await network.predict(hasResidual ? { x: signs, added: residual } : { x: signs });
  network.dispose();

  const sums = reference.binaryConv2d(a, w, geometry);
  if (output === 'signs') {
    const expected = finishSigns(sums, { activation, direction, threshold });
    expectSame(packSigns(y ?? [], batch * outHeight * outWidth, outChannels), expected, nameOf(shape));
  } else {
    const epilogue = {
      activation,
      multiplier,
      bias,
      ...(isSteep && { slope }),
      ...(hasResidual && { residual }),
    };
    expectClose(y ?? [], finishReals(sums, epilogue), 1e-5, nameOf(shape));
  }
  return sums.length;
}

describe.each(LOOPS)('binary convolutions, counting by %s', (loop) => {
  test("Larq Compute Engine's grid", async () => {
    pinLoop(loop);
    // Every geometry with each epilogue in turn by every loop; all of them by the first.
    const all = loop === LOOPS[0];
    const geometries = [...(all ? LARQ_GRID : LARQ_CORNERS), ...LARQ_LONG_SUMS];
    const cases = withEpilogues(geometries, all ? 'all' : 'in turn');
    let compared = 0;
    for (const [i, shape] of cases.entries()) compared += await check(shape, 7 * i);
    expect(cases.length).toBe(all ? 4 * (492 + 2) : 132 + 2);
    expect(compared).toBeGreaterThan(100_000);
  });

  test('random geometries with every epilogue', async () => {
    pinLoop(loop);
    const cases = randomCases(150, 11 + LOOPS.indexOf(loop));
    for (const [i, shape] of cases.entries()) await check(shape, 5 * i);
    expect(new Set(cases.map(({ groups }) => groups)).size).toBe(3);
    expect(cases.filter(({ output }) => output === 'signs').length).toBeGreaterThan(30);
  });
});
