import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce } from '../src/gpu/index.ts';
import { pcg4d } from '../src/numerics/random.ts';
import {
  advanceState,
  decodeTrainState,
  encodeTrainState,
  type Gathered,
  type GatherOptions,
  gatherBatch,
  STATE_WORDS,
} from '../src/ops/data.ts';
import * as reference from '../src/reference/data.ts';
import { expectSame, Scratch, useGpu } from './helpers/gpu.ts';

interface Case {
  readonly shape: readonly [number, number, number, number];
  readonly batch: number;
  readonly index: number;
  readonly epoch: number;
  readonly shuffle: boolean;
  readonly augment?: { readonly pad: number; readonly flip: boolean } | undefined;
}

function nameOf({ shape, batch, index, epoch, shuffle, augment }: Case): string {
  const change = augment === undefined ? '' : `_pad${augment.pad}${augment.flip ? '_flip' : ''}`;
  return `I${shape.join('x')}_B${batch}_${index}of${epoch}${shuffle ? '_shuffled' : ''}${change}`;
}

const bytes = (count: number, seed: number) =>
  Uint8Array.from({ length: count }, (_, i) => pcg4d(seed, 9, i, 0)[0] & 0xff);

describe('batches', () => {
  const gpu = useGpu();

  const named: Case[] = [
    { shape: [7, 28, 28, 1], batch: 4, index: 0, epoch: 0, shuffle: false },
    { shape: [7, 28, 28, 1], batch: 4, index: 1, epoch: 0, shuffle: false },
    { shape: [7, 8, 8, 3], batch: 3, index: 1, epoch: 2, shuffle: true },
    { shape: [50, 8, 8, 3], batch: 50, index: 0, epoch: 3, shuffle: true, augment: { pad: 4, flip: true } },
    { shape: [5, 3, 3, 3], batch: 5, index: 0, epoch: 1, shuffle: true, augment: { pad: 0, flip: true } },
    { shape: [3, 2, 3, 5], batch: 2, index: 1, epoch: 0, shuffle: true },
    { shape: [1, 1, 1, 1], batch: 3, index: 0, epoch: 0, shuffle: true, augment: { pad: 1, flip: false } },
    { shape: [2, 2, 2, 8], batch: 1, index: 9, epoch: 0, shuffle: true },
  ];
  const between = (min: number, max: number) => fc.integer({ min, max });
  const random: Case[] = fc.sample(
    fc.record({
      shape: fc.tuple(between(1, 40), between(1, 9), between(1, 9), between(1, 5)),
      batch: between(1, 20),
      index: between(0, 3),
      epoch: between(0, 500),
      shuffle: fc.boolean(),
      augment: fc.option(fc.record({ pad: between(0, 5), flip: fc.boolean() }), { nil: undefined }),
    }),
    { seed: 3, numRuns: 60 },
  );

  for (const [title, cases] of [
    ...named.map((one) => [nameOf(one), [one]] as const),
    ['60 random batches', random] as const,
  ]) {
    test(title, async () => {
      using scratch = new Scratch(gpu());
      const checks: { name: string; got: Gathered; spec: reference.GatherSpec }[] = [];
      const b = new ProgramBuilder(gpu(), 'batches');
      cases.forEach((one, i) => {
        const { shape, batch, index, epoch, shuffle, augment } = one;
        const [count, height, width, channels] = shape;
        const images = bytes(count * height * width * channels, i);
        const labels = bytes(count, i + 1000);
        // Powers of two, so that multiplying and adding round nothing, fused or not.
        const perChannel = (start: number) =>
          channels > 4 ? [2 ** start] : Array.from({ length: channels }, (_, c) => 2 ** (start - c));
        const [scale, shift] = [perChannel(-3), perChannel(2)];
        const seed = 77 + i;
        const state = scratch.tensor(
          'state',
          [STATE_WORDS],
          'u32',
          encodeTrainState({ seed, epoch, batch: index, step: 5 }),
        );
        const options: GatherOptions = {
          images: scratch.tensor('images', shape, 'u8', images),
          labels: scratch.tensor('labels', [count], 'u32', Uint32Array.from(labels)),
          state,
          batch,
          shuffle,
          scale,
          shift,
          ...(augment && { augment }),
        };
        const got = gatherBatch(b, options);
        b.keep(got.x);
        b.keep(got.targets);
        const all = (values: number[]) => (channels > 4 ? new Array(channels).fill(values[0]) : values);
        const spec = {
          images,
          labels,
          shape,
          seed,
          epoch,
          index,
          batch,
          shuffle,
          scale: all(scale),
          shift: all(shift),
          ...(augment && { augment }),
        };
        checks.push({ name: nameOf(one), got, spec });
      });
      using program = await b.compile();
      program.run();
      for (const { name, got, spec } of checks) {
        const expected = reference.gatherBatch(spec);
        expectSame(await gpu().readWords(got.targets), expected.labels, `${name} labels`);
        expectSame(await gpu().readFloats(got.x), expected.x, `${name} x`);
      }
    });
  }

  /** A window's slots hold the batches that come, in the order of their rows. */
  test('reals, windows, weights, and targets that are bits or reals', async () => {
    using scratch = new Scratch(gpu());
    const [count, batch, slots, slot, length] = [23, 5, 2, 8, 3] as const;
    const shapes = [[7], [6], [4, 5], [3, 4, 2]] as const;
    const reals = (size: number, seed: number) =>
      Float32Array.from({ length: size }, (_, i) => (pcg4d(seed, 5, i, 0)[0] % 4096) / 64 - 32);
    const b = new ProgramBuilder(gpu(), 'batches of all kinds');
    const checks: { got: Gathered; x: number[]; targets: number[]; weights: number[] }[] = [];
    let seed = 0;
    for (const shape of shapes) {
      for (const dtype of ['u8', 'f32'] as const) {
        for (const kind of ['u8', 'f32'] as const) {
          for (const index of [0, 3, 4]) {
            seed += 1;
            const size = shape.reduce((product: number, extent) => product * extent, 1);
            const all = {
              images: dtype === 'u8' ? bytes(count * size, seed) : reals(count * size, seed),
              labels:
                kind === 'u8'
                  ? bytes(count * length, seed + 1).map((byte) => byte & 1)
                  : reals(count * length, seed + 1),
              weights: reals(count, seed + 2),
            };
            const places = reference.batchSamples({ seed, epoch: 2, index, batch, shuffle: true }, count);
            const inWindow = <T extends Uint8Array | Float32Array>(values: T, width: number) => {
              const held = values.slice(0, 0).constructor as new (length: number) => T;
              const window = new held(slots * slot * width);
              places.forEach((sample, row) => {
                if (sample === undefined) return;
                const own = values.subarray(sample * width, (sample + 1) * width);
                window.set(own as never, ((index % slots) * slot + row) * width);
              });
              return window;
            };
            const state = encodeTrainState({ seed, epoch: 2, batch: index });
            for (const windowed of [false, true]) {
              const n = windowed ? slots * slot : count;
              const held = <T extends Uint8Array | Float32Array>(values: T, width: number) =>
                windowed ? inWindow(values, width) : values;
              const got = gatherBatch(b, {
                images: scratch.tensor('images', [n, ...shape], dtype, held(all.images, size)),
                labels: scratch.tensor('labels', [n, length], kind, held(all.labels, length)),
                weights: scratch.tensor('weights', [n], 'f32', held(all.weights, 1)),
                state: scratch.tensor('state', [STATE_WORDS], 'u32', state),
                ...{ batch, shuffle: true, scale: [0.5], shift: [-2] },
                window: windowed ? { samples: count, slots, slot } : undefined,
              });
              for (const tensor of [got.x, got.targets, got.weights])
                if (tensor !== undefined) b.keep(tensor);
              const rowsOf = (values: ArrayLike<number>, width: number, none: number, f = (v: number) => v) =>
                places.flatMap((sample) =>
                  Array.from({ length: width }, (_, i) =>
                    sample === undefined ? none : f(values[sample * width + i] ?? 0),
                  ),
                );
              checks.push({
                got,
                x: rowsOf(all.images, size, 0, (value) => value * 0.5 - 2),
                targets:
                  kind === 'f32'
                    ? rowsOf(all.labels, length, Number.NaN)
                    : places.map((sample) =>
                        sample === undefined
                          ? 2 ** length
                          : [...all.labels.subarray(sample * length, (sample + 1) * length)].reduce(
                              (word, value, c) => word + value * 2 ** c,
                              0,
                            ),
                      ),
                weights: rowsOf(all.weights, 1, Number.NaN),
              });
            }
          }
        }
      }
    }
    using program = await b.compile();
    program.run();
    for (const { got, x, targets, weights } of checks) {
      expect([...(await gpu().readFloats(got.x))]).toEqual(x);
      const read =
        got.targets.dtype === 'bits' ? gpu().readWords(got.targets) : gpu().readFloats(got.targets);
      expect([...(await read)]).toEqual(targets);
      if (got.weights !== undefined) expect([...(await gpu().readFloats(got.weights))]).toEqual(weights);
    }
  });

  test('an epoch of shuffled batches holds every sample once', () => {
    const seen = Array.from({ length: 8 }, (_, index) =>
      reference.batchSamples({ seed: 1, epoch: 4, index, batch: 13, shuffle: true }, 100),
    ).flat();
    expect(seen.length).toBe(104);
    expect(seen.filter((sample) => sample === undefined).length).toBe(4);
    expect(new Set(seen).size).toBe(101);
  });

  test('augmentation reaches every crop and mirrors half of the samples', () => {
    const draws = Array.from({ length: 4000 }, (_, i) => reference.drawAugmentation(1, 0, i, 2, true));
    expect(new Set(draws.map(({ top, left }) => `${top},${left}`)).size).toBe(25);
    const mirrored = draws.filter(({ flipped }) => flipped).length;
    expect(Math.abs(mirrored / 4000 - 0.5)).toBeLessThan(0.04);
  });

  test('a crop at the padded corner shows the padding as byte 0, not as value 0', () => {
    const spec: reference.GatherSpec = {
      images: [200],
      labels: [0],
      shape: [1, 1, 1, 1],
      seed: 0,
      epoch: 0,
      index: 0,
      batch: 1,
      shuffle: false,
      scale: [1],
      shift: [-5],
      augment: { pad: 1, flip: false },
    };
    const values = Array.from({ length: 200 }, (_, seed) => reference.gatherBatch({ ...spec, seed }).x[0]);
    expect(new Set(values)).toEqual(new Set([-5, 195]));
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const good: GatherOptions = {
      images: scratch.tensor('images', [2, 2, 2, 3], 'u8'),
      labels: scratch.tensor('labels', [2], 'u32'),
      state: scratch.tensor('state', [STATE_WORDS], 'u32'),
      batch: 2,
      shuffle: false,
      scale: [1],
      shift: [0],
    };
    expect(() => gatherBatch(b, { ...good, labels: scratch.tensor('short', [1], 'u32') })).toThrow(
      ShapeError,
    );
    expect(() => gatherBatch(b, { ...good, labels: scratch.tensor('u8', [2], 'u8') })).toThrow(ShapeError);
    expect(() => gatherBatch(b, { ...good, images: scratch.tensor('i', [2, 2, 2, 3], 'i32') })).toThrow(
      ShapeError,
    );
    expect(() => gatherBatch(b, { ...good, weights: scratch.tensor('w', [3], 'f32') })).toThrow(ShapeError);
    expect(() => gatherBatch(b, { ...good, window: { samples: 9, slots: 1, slot: 3 } })).toThrow(ShapeError);
    const rows = { ...good, images: scratch.tensor('rows', [2, 12], 'u8') };
    expect(() => gatherBatch(b, { ...rows, augment: { pad: 1, flip: true } })).toThrow(OptionError);
    expect(() => gatherBatch(b, { ...good, state: good.labels })).toThrow(ShapeError);
    expect(() => gatherBatch(b, { ...good, scale: [1, 2] })).toThrow(OptionError);
    expect(() => gatherBatch(b, { ...good, shift: [Number.NaN] })).toThrow(OptionError);
    expect(() => gatherBatch(b, { ...good, batch: 0 })).toThrow(OptionError);
    expect(() => gatherBatch(b, { ...good, augment: { pad: -1, flip: true } })).toThrow(OptionError);
    expect(() => gatherBatch(b, { ...good, augment: { pad: 0.5, flip: true } })).toThrow(OptionError);
  });
});

describe('train state', () => {
  const gpu = useGpu();

  test('encoding and decoding', () => {
    const state = {
      step: 4_000_000_000,
      epoch: 2,
      batch: 3,
      halted: true,
      seed: 0xffffffff,
    } as const;
    expect(decodeTrainState(encodeTrainState(state))).toEqual(state);
    expect(() => encodeTrainState({ step: -1 })).toThrow(OptionError);
    expect(() => encodeTrainState({ seed: 2 ** 32 })).toThrow(OptionError);
    expect(() => decodeTrainState(new Uint32Array(3))).toThrow(ShapeError);
  });

  test('a step moves the counters', async () => {
    using scratch = new Scratch(gpu());
    const start = { seed: 6, epoch: 1, step: 10 } as const;
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState(start));
    const b = new ProgramBuilder(gpu(), 'advance');
    advanceState(b, state);
    using program = await b.compile();
    for (const batch of [1, 2, 3]) {
      program.run();
      expect(decodeTrainState(await gpu().readWords(state))).toEqual({
        ...start,
        step: 10 + batch,
        batch,
        halted: false,
      });
    }
  });

  test('a halted run stands still', async () => {
    using scratch = new Scratch(gpu());
    const words = encodeTrainState({ step: 3, batch: 1, halted: true, seed: 8 });
    const state = scratch.tensor('state', [STATE_WORDS], 'u32', words);
    using _ = await runOnce(gpu(), 'advance', (b) => advanceState(b, state));
    expectSame(await gpu().readWords(state), words);
  });
});
