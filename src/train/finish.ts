/** The end of a training that has something to do then: weights become what they are to be, and statistics theirs. */
import { OptionError } from '../errors.ts';
import type { Run } from './run.ts';
import { partKept, type Slots } from './updates.ts';

/** Batch normalisation is fitted in whole passes over the data, of so many steps at least. */
const REFIT_STEPS = 100;

/**
 * Does to binary weights what their optimizers do when a training is over, and fits batch normalisation to them anew; the latter
 * where it was asked for, too.
 * @returns whether there was something to do
 * @throws OptionError for weights that an optimizer can't give; what a step throws
 */
export async function finishRun(run: Run): Promise<boolean> {
  const ending = run.parts.slots.filter(
    ({ parameter, optimizer }) =>
      parameter.spec.role === 'binary' && optimizer.definition.finish !== undefined,
  );
  if (ending.length === 0 && !run.options.refitStatistics) return false;
  await run.settle();
  const written = new Map<string, Float32Array>();
  for (const slots of ending) written.set(slots.parameter.name, await finished(run, slots));
  await run.edit(async () => {
    await run.network.write(written);
    await run.refit(REFIT_STEPS);
  });
  return true;
}

async function finished(run: Run, slots: Slots): Promise<Float32Array> {
  const { parameter, optimizer, kept } = slots;
  const weights = await run.gpu.readFloats(parameter.value);
  const parts = kept === undefined ? [] : partKept(slots, await run.gpu.readFloats(kept));
  const made = optimizer.definition.finish?.(
    {
      weights,
      slots: Object.fromEntries(optimizer.update.slots.map((name, i) => [name, parts[i] ?? weights])),
    },
    optimizer.parameters as never,
  );
  if (made instanceof Float32Array && made.length === weights.length && made.every(Number.isFinite))
    return made;
  throw new OptionError('An optimizer finishes weights as finite numbers, as many as there are.', {
    given: made instanceof Float32Array ? `${made.length} numbers` : typeof made,
    expected: `a Float32Array of ${weights.length} finite numbers`,
    where: `optimizer ${optimizer.name}: finish`,
  });
}
