/**
 * What it costs that a device says late what it has done, as browsers with a timer do: `npm run late` trains the mlp for
 * 400 steps of 50 images, with every `mapAsync` and `onSubmittedWorkDone` at once and 100 ms late, in turns, and says
 * how long each took. The weights must be the same; the times are to be read: late reports should cost at most half as much
 * again, and two seconds. The tests train a smaller network; see grouping.test.ts.
 */
import { expect, test } from 'vitest';
import { Trainer, takeFirst } from '../src/index.ts';
import { loadDataset, requestGpu } from '../src/node/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { withFaults } from './helpers/faulty-device.ts';

const STEPS = 400;
const BATCH = 50;
const TURNS = 2;

test(`${STEPS} steps of ${BATCH} images`, async () => {
  const data = takeFirst(await loadDataset('mnist'), STEPS * BATCH, BATCH);
  const hashes = new Set<string>();
  const least = new Map<number, number>();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const delay of [0, 100]) {
      using gpu = await requestGpu();
      const faults = withFaults(gpu.device);
      const options = { batch: BATCH, epochs: 1 };
      using trainer = await Trainer.create(gpu, mlp({ input: data.image, classes: 10 }), data, options);
      faults.reportLate(delay);
      const waits = faults.calls.get('mapAsync') ?? 0;
      const start = performance.now();
      await trainer.fit();
      const seconds = (performance.now() - start) / 1000;
      expect(trainer.progress.step).toBe(STEPS);
      hashes.add(await trainer.network.hash());
      least.set(delay, Math.min(seconds, least.get(delay) ?? Number.POSITIVE_INFINITY));
      const count = (faults.calls.get('mapAsync') ?? 0) - waits;
      console.log(`${delay} ms late: ${seconds.toFixed(2)} s, ${count} waits`);
    }
  }
  const [undelayed = 0, late = 0] = least.values();
  console.log(`${late.toFixed(2)} s late, of ${(1.5 * undelayed + 2).toFixed(2)} s at most`);
  expect(hashes.size).toBe(1);
});
