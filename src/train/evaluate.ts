/** Loss and accuracy on the test split. */
import { encodeTrainState } from '../ops/data.ts';
import type { Evaluation } from './progress.ts';
import { MAX_GROUP, type Run } from './run.ts';

/** Runs the whole test split in inference mode. */
export async function evaluate(run: Run): Promise<Evaluation> {
  const { count } = run.data.test;
  const batches = Math.ceil(count / run.options.batch);
  run.gpu.write(run.parts.testState, encodeTrainState({ seed: run.options.seed }));
  let loss = 0;
  let correct = 0;
  for (let first = 0; first < batches; first += MAX_GROUP) {
    const steps = Math.min(MAX_GROUP, batches - first);
    for (const step of await run.submit(run.test, first, steps).read()) {
      loss += step.loss * step.count;
      correct += step.correct;
    }
  }
  return { loss: loss / count, accuracy: correct / count, correct, count };
}
