/** Geometry tapped while a network trains: right numbers at the right steps, the same training, no stall, no leak. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BnnError, OptionError, ShapeError } from '../src/errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../src/formats/checkpoint.ts';
import { type GeometrySample, GeometryTap, measureGeometry } from '../src/geometry/index.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { initialValues, sequential } from '../src/graph/index.ts';
import { batchNormalization, flatten, quantConv2d, quantDense } from '../src/layers/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { packSigns, unpackSigns } from '../src/numerics/pack.ts';
import { signHistory } from '../src/ops/geometry.ts';
import { signHistory as reference } from '../src/reference/sign-history.ts';
import { type Checkpoint, Trainer, type TrainerOptions } from '../src/train/index.ts';

import { quadrants } from './helpers/data.ts';
import { withFaults } from './helpers/faulty-device.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();
const data = quadrants(400, 100);
const options: TrainerOptions = { batch: 20, epochs: 2, seed: 3 };
const model = () =>
  sequential(
    [
      quantConv2d({ filters: 8, kernelSize: 3, kernelQuantizer: 'steSign' }),
      batchNormalization(),
      flatten(),
      quantDense({ units: 4, inputQuantizer: 'steSign', kernelQuantizer: 'steSign' }),
      batchNormalization(),
    ],
    { input: data.image, name: 'tapped' },
  );

describe('signHistory', () => {
  test('counts flips and ages as the twin does, over several runs, for rows of any length', async () => {
    const cases = fc.sample(
      fc.record({
        filters: fc.integer({ min: 1, max: 70 }),
        rows: fc.integer({ min: 1, max: 4 }),
        length: fc.constantFrom(1, 3, 31, 32, 33, 64, 100),
        seed: fc.integer({ min: 1, max: 2 ** 31 }),
      }),
      { numRuns: 6, seed: 5 },
    );
    for (const { filters, rows, length, seed } of cases) {
      using scratch = new Scratch(gpu());
      const shape = [filters, rows, length];
      const size = filters * rows * length;
      let random = seed;
      const next = () => {
        random = (Math.imul(random, 1103515245) + 12345) >>> 0;
        return random / 2 ** 32 - 0.5;
      };
      const looks = [0, 1, 2, 3].map(() => Float32Array.from({ length: size }, next));
      const packed = looks.map((look) => packSigns(look, filters * rows, length));
      const now = scratch.tensor('now', shape, 'bits', packed[0]);
      const start = scratch.tensor('start', shape, 'bits', packed[0]);
      const before = scratch.tensor('before', shape, 'bits', packed[0]);
      const ages = scratch.tensor('ages', shape, 'u32');
      const builder = new ProgramBuilder(gpu(), 'test');
      const history = builder.keep(signHistory(builder, { now, start, before, ages }));
      using program = await builder.compile();
      const twinAges = Array.from({ length: filters }, () => new Array<number>(rows * length).fill(0));
      for (let look = 1; look < looks.length; look++) {
        gpu().write(now, packed[look] ?? new Uint32Array());
        program.run();
        const words = await gpu().readWords(history);
        const signs = (at: number) => unpackSigns(packed[at] ?? [], filters * rows, length);
        const [current, previous, first] = [signs(look), signs(look - 1), signs(0)];
        const expected = twinAges.flatMap((own, filter) => {
          const of = (all: Float64Array) =>
            all.subarray(filter * rows * length, (filter + 1) * rows * length);
          const { flipped, flippedSinceStart, ageSum } = reference(of(current), of(previous), of(first), own);
          return [flipped, flippedSinceStart, ageSum, 0];
        });
        expectSame(words, expected, `${shape.join(' x ')}, look ${look}`);
        expectSame(await gpu().readWords(before), packed[look] ?? [], 'before');
        expectSame(await gpu().readWords(ages), twinAges.flat(), 'ages');
      }
    }
  });

  test('carries sums of ages past 32 bits', async () => {
    using scratch = new Scratch(gpu());
    const bits = new Uint32Array(1);
    const tensors = Object.fromEntries(
      ['now', 'start', 'before'].map((name) => [name, scratch.tensor(name, [1, 3], 'bits', bits)]),
    ) as Record<'now' | 'start' | 'before', ReturnType<Scratch['tensor']>>;
    const ages = scratch.tensor('ages', [1, 3], 'u32', new Uint32Array(3).fill(2 ** 32 - 10));
    const builder = new ProgramBuilder(gpu(), 'test');
    const history = builder.keep(signHistory(builder, { ...tensors, ages }));
    using program = await builder.compile();
    program.run();
    expect([...(await gpu().readWords(history))]).toEqual([0, 0, (3 * (2 ** 32 - 9)) % 2 ** 32, 2]);
  });

  test('refuses signs of other filters', () => {
    using scratch = new Scratch(gpu());
    const builder = new ProgramBuilder(gpu(), 'test');
    const [now, other] = [scratch.tensor('now', [2, 40], 'bits'), scratch.tensor('other', [2, 41], 'bits')];
    const ages = scratch.tensor('ages', [2, 40], 'u32');
    expect(() => signHistory(builder, { now, start: other, before: now, ages })).toThrow(ShapeError);
  });
});

describe('a tap', () => {
  test('reports the weights of its steps, and leaves the training as it is', async () => {
    using plain = await Trainer.create(gpu(), model(), data, options);
    await plain.fit();
    const bytes = gpu().memory.bytes;
    {
      using trainer = await Trainer.create(gpu(), model(), data, options);
      const before = await measureGeometry(trainer.network);
      const samples: GeometrySample[] = [];
      using tap = await GeometryTap.create(trainer.network, { onSample: (sample) => samples.push(sample) });
      await trainer.fit({ tap: { everySteps: 8, encode: tap.encode } });

      expect(await trainer.network.hash()).toBe(await plain.network.hash());
      expect(samples.map(({ step }) => step)).toEqual([8, 16, 24, 32, 40]);
      const last = samples.at(-1)?.layers ?? [];
      const measured = await measureGeometry(trainer.network);
      expect(last.map(({ name }) => name)).toEqual(['quantConv2d_1/kernel', 'quantDense_1/kernel']);
      for (const [index, layer] of measured.entries()) expect(last[index]).toMatchObject(layer);
      // Nothing else is as it was: the first sample is of other weights than the start and the end.
      expect(samples[0]?.layers[0]?.meanAngle).not.toBe(before[0]?.meanAngle);
      expect(samples[0]?.layers[0]?.meanAngle).not.toBe(last[0]?.meanAngle);

      const start = initialValues(model(), 3);
      for (const { name, flippedSinceStart, meanAge } of last) {
        const [from, to] = [start.get(name) ?? [], await gpu().readFloats(parameter(trainer, name))];
        const flips = [...from].filter((value, i) => value < 0 !== (to[i] ?? 0) < 0).length;
        expect(flips).toBeGreaterThan(0);
        expect(flippedSinceStart).toBeCloseTo(flips / from.length, 12);
        expect(meanAge).toBeGreaterThan(0);
        expect(meanAge).toBeLessThanOrEqual(5);
      }
    }
    expect(gpu().memory.bytes).toBe(bytes);
  });

  test('counts flips from given weights when a training goes on', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, { ...options, epochs: 1 });
    const start = new Map(
      [...initialValues(model(), 3)].map(([name, values]) => [name, values.map((value) => -value)]),
    );
    const samples: GeometrySample[] = [];
    using tap = await GeometryTap.create(trainer.network, { start, onSample: (each) => samples.push(each) });
    await trainer.fit({ tap: { everySteps: 1, encode: tap.encode } });
    expect(samples).toHaveLength(20);
    // Every sign was turned around, so what hasn't flipped since the start of the network counts.
    for (const layer of samples[0]?.layers ?? []) expect(layer.flippedSinceStart).toBeGreaterThan(0.5);
  });

  test('whose receiver throws fails the training with its error, and the trainer goes on', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    using tap = await GeometryTap.create(trainer.network, {
      onSample: ({ step }) => {
        if (step === 5) throw new Error('no room for the picture');
      },
    });
    await expect(trainer.fit({ tap: { everySteps: 5, encode: tap.encode } })).rejects.toThrow(/no room/);
    await trainer.fit();
    expect(trainer.progress.step).toBe(40);
  });

  test('resumed from a file goes on as if it had not stopped: its samples are those of an uninterrupted run', async () => {
    const run = async (trainer: Trainer, samples: GeometrySample[], resume?: Checkpoint, stopAt?: number) => {
      using tap = await GeometryTap.create(trainer.network, {
        onSample: (sample) => samples.push(sample),
        ...(resume === undefined ? {} : { resume }),
      });
      let file: Uint8Array<ArrayBuffer> | undefined;
      const stop = new AbortController();
      await trainer.fit({
        tap: tap.every(6),
        signal: stop.signal,
        checkpoint: {
          everySteps: 1,
          save: async (checkpoint) => {
            if (checkpoint.progress.step !== stopAt) return;
            file = encodeCheckpoint(checkpoint);
            stop.abort();
          },
        },
      });
      return file;
    };
    const straight: GeometrySample[] = [];
    {
      using trainer = await Trainer.create(gpu(), model(), data, options);
      await run(trainer, straight);
    }
    for (const stopAt of [6, 15]) {
      const samples: GeometrySample[] = [];
      let file: Uint8Array<ArrayBuffer> | undefined;
      {
        using trainer = await Trainer.create(gpu(), model(), data, options);
        file = await run(trainer, samples, undefined, stopAt);
      }
      if (file === undefined) throw new Error('nothing was saved');
      const { checkpoint } = decodeCheckpoint(file, 'memory');
      using trainer = await Trainer.create(gpu(), model(), data, options);
      await trainer.restore(checkpoint);
      await run(trainer, samples, checkpoint);
      expect(samples).toEqual(straight);
    }
    expect(straight.map(({ step }) => step)).toEqual([6, 12, 18, 24, 30, 36]);
  });

  test('whose second readback fails while the first is under way fails the training, and nothing else', async () => {
    using own = await requestGpu();
    const faults = withFaults(own.device);
    using trainer = await Trainer.create(own, model(), data, options);
    const steps: number[] = [];
    const tap = await GeometryTap.create(trainer.network, { onSample: ({ step }) => steps.push(step) });
    const held = { first: () => {} };
    const first = new Promise<void>((resolve) => {
      held.first = resolve;
    });
    const encoder = own.device.createCommandEncoder();
    const samples = [tap.encode(encoder, 1), tap.encode(encoder, 2)];
    own.submit(encoder);
    // The first waits for its steps; the second fails meanwhile, and nobody looks at it yet.
    const waiting = samples[0]?.(first);
    faults.fail('mapAsync rejects', 1);
    const failing = samples[1]?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
    held.first();
    await waiting;
    await expect(failing).rejects.toThrow(/mapAsync/);
    expect(steps).toEqual([1]);
    const { buffers } = own.memory;
    await trainer.fit({ tap: tap.every(4) });
    expect(steps).toEqual([1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
    expect(own.memory.buffers).toBeLessThanOrEqual(buffers + 2);
    tap.dispose();
  });

  // Shrunk from the sweep of faults: the buffer was kept, and its refusal fell on the next call.
  test.each(['createBuffer refused', 'createBuffer out of memory'] as const)(
    'whose buffer is not given (%s) fails that call, and the next is right',
    async (kind) => {
      using own = await requestGpu();
      const faults = withFaults(own.device);
      using trainer = await Trainer.create(own, model(), data, options);
      const steps: number[] = [];
      using tap = await GeometryTap.create(trainer.network, { onSample: ({ step }) => steps.push(step) });
      await trainer.runSteps(1);
      faults.fail(kind, 1);
      await expect(trainer.fit({ tap: tap.every(4) })).rejects.toThrow(BnnError);
      expect(faults.fired).toBe(true);
      await trainer.fit({ tap: tap.every(4) });
      expect(steps.at(-1)).toBe(40);
      using other = await Trainer.create(own, model(), data, options);
      await other.fit();
      expect(await trainer.network.hash()).toBe(await other.network.hash());
    },
  );

  test('comes every whole number of steps', async () => {
    using trainer = await Trainer.create(gpu(), model(), data, options);
    for (const everySteps of [0, -1, 2.5, Number.NaN]) {
      await expect(trainer.fit({ tap: { everySteps, encode: () => async () => {} } })).rejects.toThrow(
        OptionError,
      );
    }
  });
});

function parameter(trainer: Trainer, name: string) {
  const found = trainer.network.parameters.get(name);
  if (found === undefined) throw new Error(name);
  return found.value;
}
