/** Loss and accuracy on the test split. */
import { OptionError } from '../errors.ts';
import { encodeTrainState } from '../ops/data.ts';
import type { Evaluation } from './progress.ts';
import type { Run } from './run.ts';

/**
 * The rows of an evaluation are numbered from here on, those of each from another number, so that none is taken for one
 * of a training or of another evaluation; floats count to twice as much.
 */
const NUMBERS = 2 ** 23;

/**
 * Runs the whole test split in inference mode.
 * @throws OptionError where there is none
 */
export async function evaluate(run: Run): Promise<Evaluation> {
  const { test, data } = run;
  if (test === undefined || data.test === undefined) {
    throw new OptionError('This data set has no test split to evaluate on.', {
      given: data.name,
      where: 'evaluate',
      remedy: 'create the trainer with data.test, or use trainer.predict on samples of your own',
    });
  }
  await run.settle();
  const { count } = data.test;
  const batches = Math.ceil(count / run.options.batch);
  const first = NUMBERS + ((run.evaluations * batches) % (NUMBERS - batches));
  run.evaluations += 1;
  await run.gpu.scoped('the state of an evaluation', () => {
    const state = encodeTrainState({ step: first, seed: run.options.seed });
    run.gpu.write(run.parts.testState, state);
  });
  let loss = 0;
  let correct = 0;
  for (let done = 0; done < batches; done += run.mostTests) {
    for (const step of await run.submitTest(test, first, done, Math.min(run.mostTests, batches - done))) {
      loss += step.loss * step.count;
      correct += step.correct;
    }
  }
  return { loss: loss / count, accuracy: correct / count, correct, count };
}
