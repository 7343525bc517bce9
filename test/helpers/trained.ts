/** Values for networks that were not trained. */
import { initialValues, type Model } from '../../src/graph/index.ts';
import { uniform01 } from '../../src/numerics/random.ts';

/** Values as after training: nothing round, every sign of gamma, and some channels without effect. */
export function trainedValues(model: Model, seed: number): Map<string, Float32Array<ArrayBuffer>> {
  const values = initialValues(model, seed);
  let stream = 0;
  for (const [name, value] of values) {
    stream += 1;
    const draw = (c: number) => uniform01(seed, stream, c);
    if (name.endsWith('/gamma'))
      values.set(
        name,
        value.map((_, c) => (c % 7 === 3 ? 0 : 3 * draw(c) - 1.5)),
      );
    if (name.endsWith('/beta'))
      values.set(
        name,
        value.map((_, c) => 2 * draw(c) - 1),
      );
    if (name.endsWith('/runningMean'))
      values.set(
        name,
        value.map((_, c) => 10 * draw(c) - 5),
      );
    if (name.endsWith('/runningVariance'))
      values.set(
        name,
        value.map((_, c) => 5 + 60 * draw(c)),
      );
  }
  return values;
}
