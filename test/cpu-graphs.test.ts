/**
 * Random networks, folded, in WebAssembly against the reference, which folds nothing. WEBGPU_BNN_GRAPHS says how many; the suite
 * runs few.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CpuNetwork } from '../src/cpu/index.ts';
import { LOOPS, pinLoop } from '../src/cpu/loops.ts';
import { sizeOf } from '../src/gpu/index.ts';
import { foldForInference, initialValues, type Model, Network } from '../src/graph/index.ts';
import { uniform01 } from '../src/numerics/random.ts';
import { expectClose, expectSame, useGpu } from './helpers/gpu.ts';
import { choices, endsInIntegers, graphOf, graphTwin } from './helpers/graph-twin.ts';

const RUNS = Number(process.env.WEBGPU_BNN_GRAPHS ?? 120);
const BATCH = 2;

/** Latent weights as drawn, statistics and affine parameters of either sign. */
function valuesOf(built: Model, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const values = initialValues(built, seed);
  for (const [name, value] of values) {
    const draw = (spread: number, offset: number) => {
      for (let i = 0; i < value.length; i++)
        value[i] = offset + spread * (2 * uniform01(seed, name.length, i) - 1);
    };
    if (name.endsWith('/runningVariance')) draw(20, 21);
    else if (name.endsWith('/runningMean')) draw(6, 0);
    else if (name.endsWith('/gamma')) draw(1.5, 0);
    else if (/\/(beta|bias|alpha)$/.test(name)) draw(1, 0);
  }
  return values;
}

const samplesOf = (built: Model, seed: number) =>
  Float32Array.from({ length: BATCH * sizeOf(built.inputShape) }, (_, i) => 4 * uniform01(seed, 77, i) - 2);

describe('random networks', () => {
  const gpu = useGpu();

  test(`${RUNS} against the reference`, { timeout: 3_600_000 }, async () => {
    let [compared, exact, folds] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(choices, async (choice) => {
        const built = graphOf(choice);
        const values = valuesOf(built, choice.seed);
        const samples = samplesOf(built, choice.seed);
        const { output, margin } = graphTwin(built, values, samples, BATCH);
        // Where rounding decides a sign, either is right.
        if (margin < 1e-5) return;
        const folded = foldForInference(built, values, { reals: choice.seed % 2 === 0 });
        pinLoop(LOOPS[choice.seed % LOOPS.length]);
        const network = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
        const actual = await network.predict(samples);
        network.dispose();
        compared += 1;
        folds += folded.fused.length;
        if (endsInIntegers(built)) {
          exact += 1;
          expectSame(actual, output);
        } else expectClose(actual, output, 1e-4);
      }),
      { seed: 21, numRuns: RUNS },
    );
    pinLoop(undefined);
    expect(compared).toBeGreaterThan(0.8 * RUNS);
    expect(exact).toBeGreaterThan(RUNS / 20);
    expect(folds).toBeGreaterThan(RUNS / 4);
  });

  test('20 of them give the integers of the GPU', async () => {
    let exact = 0;
    for (const choice of fc.sample(choices, { seed: 5, numRuns: 60 })) {
      if (exact === 20) break;
      const built = graphOf({ ...choice, ending: 'plain', global: false });
      const values = valuesOf(built, choice.seed);
      const samples = samplesOf(built, choice.seed);
      if (graphTwin(built, values, samples, BATCH).margin < 1e-5) continue;
      const folded = foldForInference(built, values);
      const onGpu = await Network.create(gpu(), folded.model, { values: folded.values, forInference: true });
      const onCpu = await CpuNetwork.create(folded.model, folded.values, { threads: 1 });
      expectSame(await onCpu.predict(samples), await onGpu.predict(samples));
      onGpu.dispose();
      onCpu.dispose();
      exact += 1;
    }
    expect(exact).toBe(20);
  });
});
