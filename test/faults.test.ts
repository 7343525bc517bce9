/**
 * A training's whole life with one call of the device failing: whatever fails, and whenever, an error is typed and thrown by
 * the call that it befell, the call after it is right or refused, memory is given back, and the weights at the end are those
 * of an undisturbed life. A sample of all faults; `npm run faults` tries every one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BnnError, DeviceLostError } from '../src/errors.ts';
import { type GeometrySample, GeometryTap, measureGeometry } from '../src/geometry/index.ts';
import { Gpu } from '../src/gpu/index.ts';
import { sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantDense } from '../src/layers/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { type Checkpoint, Trainer, type TrainerOptions } from '../src/train/index.ts';
import { quadrants } from './helpers/data.ts';
import { FAULT_KINDS, type FaultKind, type Faults, methodOf, withFaults } from './helpers/faulty-device.ts';

const data = quadrants(40, 15);
const model = () =>
  sequential(
    [
      flatten(),
      quantDense({ units: 16, kernelQuantizer: 'steSign' }),
      batchNormalization({ scale: false }),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
    ],
    { input: [8, 8, 1], name: 'small' },
  );
const options: TrainerOptions = { batch: 5, epochs: 2, seed: 7, optimizer: 'sgd', learningRate: 0.01 };
const samples = Float32Array.from({ length: 7 * 64 }, (_, i) => Math.sin(i));

/** Faults of a kind that are tried where not all are, spread over the life. */
const TRIED = Number(process.env.WEBGPU_BNN_FAULTS ?? 2);

/** What a life comes to. */
interface Outcome {
  readonly hash: string;
  readonly losses: readonly (number | undefined)[];
  readonly accuracies: readonly number[];
  readonly predictions: readonly number[];
  readonly angles: readonly number[];
  /** Angle of the first layer by step, as it was tapped. */
  readonly tapped: ReadonlyMap<number, number>;
}

/** The device is gone, and nothing more can be had of it. */
class Over extends Error {}

/**
 * Lives once.
 * @param faults what is armed fails somewhere in it
 * @returns the outcome; nothing where the device was lost
 */
async function live(gpu: Gpu, faults: Faults, what: string): Promise<Outcome | undefined> {
  let trainer: Trainer | undefined;
  let tap: GeometryTap | undefined;
  let saved: Checkpoint | undefined;
  let refused = 0;
  const tapped = new Map<number, number>();
  const accuracies: number[] = [];

  /** Calls until it succeeds: once more after the fault, and once more after a restore where one is asked for. */
  const attempt = async <T>(call: string, body: () => Promise<T>): Promise<T> => {
    for (;;) {
      const before = faults.fired;
      try {
        return await body();
      } catch (error) {
        const told = `${what}, ${call}: ${error}`;
        if (!(error instanceof BnnError)) expect.fail(`not typed: ${told}\n${(error as Error).stack}`);
        if (error instanceof DeviceLostError) throw new Over();
        const asked = /restore/.test(error.remedy ?? '');
        // Only the call that the fault befell fails, or one that is refused until a restore.
        if (before && !asked) expect.fail(`an innocent call: ${told}`);
        refused += 1;
        if (refused > 4) expect.fail(`again and again: ${told}`);
        if (asked && trainer !== undefined && saved !== undefined) await trainer.restore(saved);
      }
    }
  };

  try {
    trainer = await attempt('create', () => Trainer.create(gpu, model(), data, options));
    const made = trainer;
    saved = await attempt('checkpoint', () => made.checkpoint());
    const onSample = ({ step, layers }: GeometrySample) => {
      tapped.set(step, layers[0]?.meanAngle ?? Number.NaN);
    };
    tap = await attempt('tap', () => GeometryTap.create(made.network, { onSample }));
    const { encode, state } = tap;
    while (made.progress.step < 3) await attempt('runSteps', () => made.runSteps(3 - made.progress.step));
    const { epochs } = await attempt('fit', () =>
      made.fit({
        tap: { everySteps: 3, encode, state },
        onEpoch: async () => {
          accuracies.push((await made.evaluate()).accuracy);
        },
        checkpoint: {
          everySteps: 5,
          save: async (checkpoint) => {
            saved = checkpoint;
          },
        },
      }),
    );
    const evaluation = await attempt('evaluate', () => made.evaluate());
    accuracies.push(evaluation.accuracy);
    const predictions = await attempt('predict', () => made.predict(samples));
    const geometry = await attempt('geometry', () => measureGeometry(made.network));
    const last = await attempt('checkpoint', () => made.checkpoint());
    await attempt('restore', () => made.restore(last));
    const hash = await attempt('hash', () => made.network.hash());
    return {
      hash,
      losses: epochs.flatMap(({ trainLoss, testLoss }) => [trainLoss, testLoss]),
      accuracies: [...new Set(accuracies)],
      predictions: [...predictions],
      angles: geometry.map(({ meanAngle }) => meanAngle),
      tapped,
    };
  } catch (error) {
    if (error instanceof Over) return undefined;
    throw error;
  } finally {
    faults.disarm();
    tap?.dispose();
    trainer?.dispose();
  }
}

describe('a life with a fault', () => {
  let own: Gpu;
  let faults: Faults;
  let straight: Outcome;
  let calls: ReadonlyMap<string, number>;

  beforeAll(async () => {
    own = await requestGpu();
    faults = withFaults(own.device);
    const before = new Map(faults.calls);
    const outcome = await live(Gpu.fromDevice(own.device), faults, 'undisturbed');
    if (outcome === undefined) throw new Error('the device was lost');
    straight = outcome;
    calls = new Map([...faults.calls].map(([name, count]) => [name, count - (before.get(name) ?? 0)]));
  });
  afterAll(() => own.dispose());

  /** The calls of a kind that are let fail. */
  function turns(kind: FaultKind): number[] {
    const count = calls.get(methodOf(kind)) ?? 0;
    const tried = Math.min(count, kind.startsWith('device lost') ? TRIED - 1 : TRIED);
    const at = (i: number) => Math.ceil(((i + 1) * count) / (tried + 1));
    return Array.from({ length: tried }, (_, i) => at(i));
  }

  async function tried(kind: FaultKind, at: number, owner: Gpu, failing: Faults): Promise<void> {
    const what = `${kind} ${at} of ${calls.get(methodOf(kind))}`;
    // A cache of pipelines of its own, on a device that others may use too.
    const gpu = Gpu.fromDevice(owner.device);
    failing.fail(kind, at);
    const outcome = await live(gpu, failing, what);
    expect([gpu.memory.bytes, gpu.memory.buffers], `${what}: memory`).toEqual([0, 0]);
    gpu.dispose();
    if (outcome === undefined) {
      expect(kind).toMatch(/^device lost/);
      return;
    }
    const { tapped, ...rest } = outcome;
    const { tapped: rightAngles, ...right } = straight;
    expect(rest, what).toEqual(right);
    for (const [step, angle] of tapped) expect(angle, `${what}: tap at ${step}`).toBe(rightAngles.get(step));
  }

  test.each(FAULT_KINDS.filter((kind) => !kind.startsWith('device lost')))('%s', async (kind) => {
    for (const at of turns(kind)) await tried(kind, at, own, faults);
  });

  test.each(FAULT_KINDS.filter((kind) => kind.startsWith('device lost')))('%s', async (kind) => {
    for (const at of turns(kind)) {
      const doomed = await requestGpu();
      await tried(kind, at, doomed, withFaults(doomed.device));
      doomed.dispose();
    }
  });
});
