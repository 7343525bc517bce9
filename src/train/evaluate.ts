/** Loss, accuracy and scores on a split that is evaluated. */
import { OptionError } from '../errors.ts';
import { encodeTrainState } from '../ops/data.ts';
import { decodeTally } from '../ops/loss.ts';
import type { Evaluation } from './progress.ts';
import type { Run } from './run.ts';
import { scoresOf } from './scores.ts';
import type { EvaluatedSplit } from './step.ts';

/**
 * The rows of an evaluation are numbered from here on, those of each from another number, so that none is taken for one
 * of a training or of another evaluation; floats count to twice as much.
 */
const NUMBERS = 2 ** 23;

/**
 * Runs a whole split in inference mode.
 * @throws OptionError where there is none
 */
export async function evaluate(run: Run, split: EvaluatedSplit): Promise<Evaluation> {
  const { data, parts } = run;
  const test = run.tests[split];
  const source = data[split];
  if (test === undefined || source === undefined) {
    throw new OptionError(`This data set has no ${split} split to evaluate on.`, {
      given: data.name,
      where: 'evaluate',
      remedy: `create the trainer with data.${split}, or use trainer.predict on samples of your own`,
    });
  }
  await run.settle();
  const { count } = source;
  const batches = Math.ceil(count / run.options.batch);
  const first = NUMBERS + ((run.evaluations * batches) % (NUMBERS - batches));
  run.evaluations += 1;
  await run.gpu.scoped('the state of an evaluation', () => {
    const state = encodeTrainState({ step: first, seed: run.options.seed });
    run.gpu.write(parts.testState, state);
    run.gpu.write(parts.tally, new Uint32Array(parts.tally.size));
  });
  let loss = 0;
  let correct = 0;
  const most = run.mostTests(split);
  for (let done = 0; done < batches; done += most) {
    const steps = Math.min(most, batches - done);
    for (const step of await run.submitTest(split, test, first, done, steps)) {
      loss += step.loss * step.count;
      correct += step.correct;
    }
  }
  const [outputs = 0] = run.network.model.outputShape;
  const tally = decodeTally(data.targets, await run.gpu.readWords(parts.tally), outputs, count);
  const scores = scoresOf(tally, data.classes);
  return { loss: loss / count, accuracy: correct / count, correct, count, scores };
}
