/** Groups of steps follow from the work: a report that comes late holds up nothing. */
import { describe, expect, test } from 'vitest';
import { requestGpu } from '../src/node/gpu.ts';
import { Grouping } from '../src/train/grouping.ts';
import { Trainer } from '../src/train/index.ts';
import { mlp } from '../src/zoo/index.ts';
import { quadrants } from './helpers/data.ts';
import { type Faults, withFaults } from './helpers/faulty-device.ts';

describe('groups', () => {
  /** The size of groups after some, when a step takes so long and reports come every so many milliseconds. */
  function settled(step: number, period: number): { size: number; largest: number } {
    const grouping = new Grouping();
    let [done, reported, largest] = [0, 0, 1];
    const waiting: number[] = [];
    for (let i = 0; i < 200; i++) {
      waiting.push(grouping.size);
      if (waiting.length < 3) continue;
      const size = waiting.shift() ?? 1;
      done = Math.max(done, reported) + size * step;
      const now = period === 0 ? done : Math.max(reported, Math.ceil(done / period) * period);
      grouping.note(size, now - reported);
      reported = now;
      largest = Math.max(largest, grouping.size);
    }
    return { size: grouping.size, largest };
  }

  test.each([
    ['a fast GPU', 0.1, 0],
    ['a slow one', 20, 0],
    ['a very slow one', 3000, 0],
    ['a fast GPU behind a timer', 0.1, 100],
    ['a slow one behind a timer', 20, 100],
  ])('of %s take a part of a second, or as many steps as may be', (_, step, period) => {
    const { size, largest } = settled(step, period);
    if (step < 0.2) expect(size).toBe(256);
    else expect(size * step).toBeLessThanOrEqual(Math.max(400, step));
    expect(largest * step).toBeLessThanOrEqual(Math.max(800, 2 * step));
  });
});

describe('where reports come late', () => {
  test('a training waits for few of them, and ends with the same weights', async () => {
    const data = quadrants(2000, 20);
    const hashes = new Set<string>();
    const ways = [
      () => undefined,
      (faults: Faults) => faults.reportEvery(100),
      (faults: Faults) => faults.reportLate(100),
    ];
    for (const setUp of ways) {
      using gpu = await requestGpu();
      const faults = withFaults(gpu.device);
      setUp(faults);
      using trainer = await Trainer.create(gpu, mlp({ input: [8, 8, 1], classes: 4, units: 32 }), data, {
        batch: 10,
        epochs: 2,
      });
      const { submits } = gpu.counters;
      const before = faults.calls.get('mapAsync') ?? 0;
      await trainer.fit();
      const waits = (faults.calls.get('mapAsync') ?? 0) - before;
      // Of 400 steps; on a busy machine groups are smaller.
      expect(waits).toBeLessThan(200);
      // Metrics come in the submit of their group: none is made for them alone.
      expect(gpu.counters.submits - submits).toBeLessThan(2 * waits + 8);
      hashes.add(await trainer.network.hash());
    }
    expect(hashes.size).toBe(1);
  });
});
