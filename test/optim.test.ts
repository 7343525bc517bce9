/**
 * Updates of parameters: every optimizer that there is, and a guest's, against its float64 twin, with every quantizer and
 * penalty on the way of the gradient.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Shape, sizeOf, wordsFor } from '../src/gpu/index.ts';
import { chanceOf } from '../src/methods/check.ts';
import {
  adam,
  defineOptimizer,
  OPTIMIZERS,
  type Optimizer,
  type Penalty,
  QUANTIZERS,
  type Quantizer,
  sgd,
  steSign,
} from '../src/methods/index.ts';
import { EVERY } from '../src/methods/table.ts';
import { packSigns, unpackSigns } from '../src/numerics/pack.ts';
import { normal, uniform01 } from '../src/numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import {
  laneWidth,
  measuresOf,
  slotsShape,
  type UpdateBinaryOptions,
  updateBinary,
  updateReal,
} from '../src/ops/optim.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** Keeps three values a weight, none of which another optimizer keeps, and reads two numbers a step. */
const guest = defineOptimizer({
  name: 'guest',
  formula: 'a <- (a + g) / 2; b <- max(b, |g|); c <- c + 1; w <- w - rate a / (1 + b) - push c',
  source: 'this test',
  parameters: {
    push: { default: { from: 0.25, to: 0.125, decay: 'linear' }, schedule: true, says: 'a drift' },
  },
  wgsl: `
    struct Slots { a: Lane, b: Lane, c: Lane }
    struct Scalars { rate: f32, push: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      (*slots).a = ((*slots).a + g) / 2.0;
      (*slots).b = max((*slots).b, abs(g));
      (*slots).c += Lane(1.0);
      return w - scalars.rate * STEP_SCALE * (*slots).a / (1.0 + (*slots).b) - scalars.push * (*slots).c;
    }`,
  twin({ w, g, slots, scalars: { rate = 0, push = 0 }, stepScale }) {
    const { a = 0, b = 0, c = 0 } = slots;
    Object.assign(slots, { a: (a + g) / 2, b: Math.max(b, Math.abs(g)), c: c + 1 });
    return w - (rate * stepScale * (a + g)) / 2 / (1 + Math.max(b, Math.abs(g))) - push * (c + 1);
  },
});

/** Keeps nothing. */
const signSgd = defineOptimizer({
  name: 'signSgd',
  formula: 'w <- w - rate sign(g)',
  source: 'Bernstein et al. 2018',
  wgsl: `struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      return w - scalars.rate * STEP_SCALE * sign(g);
    }`,
  twin: ({ w, g, scalars: { rate = 0 }, stepScale }) => w - rate * stepScale * Math.sign(g),
});

/** Flips as its averages say, which fade as fast as the share of weights that stayed does (after BOLD). */
const settling = defineOptimizer({
  name: 'settling',
  formula:
    'm <- share m + rate g; w <- -w where w m > 0.1; share: of the weights that did not flip in the step before',
  source: 'this test, after Nguyen et al. 2024 (BOLD), arXiv 2405.16339',
  wgsl: `
    struct Slots { m: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      let m = measured * (*slots).m + scalars.rate * STEP_SCALE * g;
      (*slots).m = m;
      let sign = sign_lanes(w);
      return select(sign, -sign, sign * m > Lane(0.1));
    }`,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale, measured }) {
    const m = measured * (slots.m ?? 0) + rate * stepScale * g;
    slots.m = m;
    const sign = w < 0 ? -1 : 1;
    return sign * m > 0.1 ? -sign : sign;
  },
  measure: {
    wgsl: `
      fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane {
        return select(Lane(0.0), Lane(1.0), sign_lanes(was) == sign_lanes(now));
      }`,
    start: 0.5,
    twin: ({ was, now }) => (was < 0 === now < 0 ? 1 : 0),
  },
  gradient: 'plain',
  signsOnly: true,
});

/** Measures what no counter has: reals of the gradient and of what is kept, by a number of its own. */
const tempered = defineOptimizer({
  name: 'tempered',
  formula: 'a <- a + g; w <- w - rate g / (1 + mean of weight (g² + |a|) of the step before)',
  source: 'this test',
  parameters: { weight: { default: 0.25, from: 0, says: 'of what is measured' } },
  wgsl: `
    struct Slots { a: Lane }
    struct Scalars { rate: f32 }
    fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
      (*slots).a += g;
      return w - scalars.rate * STEP_SCALE * g / (1.0 + measured);
    }`,
  twin({ w, g, slots, scalars: { rate = 0 }, stepScale, measured }) {
    slots.a = (slots.a ?? 0) + g;
    return w - (rate * stepScale * g) / (1 + measured);
  },
  measure: {
    wgsl: `
      override WEIGHT: f32;
      fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane { return WEIGHT * (g * g + abs(slots.a)); }`,
    start: 2,
    twin: ({ g, slots: { a = 0 } }, { weight }) => weight * (g * g + Math.abs(a)),
  },
});

const FACTORIES = [...Object.values(EVERY.optimizer), guest, signSgd, settling, tempered];
/** Large numbers, so that signs flip and weights reach the clip. */
const optimizers = FACTORIES.map((make) =>
  make === OPTIMIZERS.bop ? OPTIMIZERS.bop({ gamma: 0.3, threshold: 0.05 }) : (make as () => Optimizer)(),
);
const quantizers: readonly (Quantizer | undefined)[] = [
  undefined,
  // Those whose gradient changes from step to step have kernels of their own: rules.test.ts.
  ...Object.values(QUANTIZERS)
    .map((make) => (make as () => Quantizer)())
    .filter(({ scalars }) => scalars.length === 0),
  steSign({ clip: 0.4 }),
];
const penalties: readonly (Penalty | undefined)[] = [
  undefined,
  ...Object.values(EVERY.penalty).map((make) =>
    (make as (values: object) => Penalty)(
      'strength' in (make.definition.parameters ?? {}) ? { strength: 0.5 } : {},
    ),
  ),
];

interface Case {
  readonly optimizer: Optimizer;
  readonly shape: Shape;
  readonly quantizer?: Quantizer | undefined;
  readonly penalty?: Penalty | undefined;
  readonly clipLatent?: boolean;
  readonly stepScale?: number;
}

const nameOf = ({ optimizer, shape, quantizer, penalty, clipLatent = true, stepScale = 1 }: Case) =>
  [
    optimizer.name,
    shape.join('x'),
    quantizer?.name ?? 'none',
    penalty?.name ?? 'none',
    clipLatent ? 'clipped' : 'free',
    `scale${stepScale}`,
  ].join('_');

const RATE = 0.25;
const [SEED, STREAM] = [11, 5];
const STEPS = 3;

/** What an optimizer keeps, as it lies in memory, from one array a slot. */
function joined(parts: readonly Float32Array[], rowLength: number): Float32Array<ArrayBuffer> {
  const width = laneWidth(rowLength);
  const kept = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  for (const [slot, part] of parts.entries()) {
    for (const [i, value] of part.entries()) {
      kept[(Math.floor(i / width) * parts.length + slot) * width + (i % width)] = value;
    }
  }
  return kept;
}

/** The inverse. */
function parted(kept: Float32Array, count: number, rowLength: number): Float32Array<ArrayBuffer>[] {
  const width = laneWidth(rowLength);
  return Array.from({ length: count }, (_, slot) =>
    Float32Array.from(
      { length: kept.length / count },
      (_, i) => kept[(Math.floor(i / width) * count + slot) * width + (i % width)] ?? 0,
    ),
  );
}

/** A parameter with gradients and slots, some weights at 0 and at the ends. */
function drawParameter({ optimizer }: Pick<Case, 'optimizer'>, shape: Shape, seed: number) {
  const size = sizeOf(shape);
  const drawn = Float32Array.from(
    { length: size },
    (_, i) => [0, -0, 1, -1][i % 11] ?? normal(seed, 1, i) / 2,
  );
  const grad = Float32Array.from({ length: size }, (_, i) => normal(seed, 2, i));
  const slots = optimizer.update.slots.map((_, slot) =>
    Float32Array.from({ length: size }, (_, i) =>
      slot % 2 ? uniform01(seed, 4, i) : normal(seed, 3, i) / 8,
    ),
  );
  const signsOnly = optimizer.definition.signsOnly === true;
  return { latent: signsOnly ? drawn.map((w) => (w < 0 ? -1 : 1)) : drawn, grad, slots };
}

/** The rows of a table of two batches. */
const tableOf = (optimizer: Optimizer) =>
  [0, 1].map((step) => optimizer.scalarsAt({ step, steps: 2, epochSteps: 2, rate: RATE }));

/** One weight's step in float64, from f32 values. */
function stepTwin(
  one: Case,
  w: number,
  grad: number,
  slots: readonly number[],
  { batch, measured, chance }: { batch: number; measured: number; chance: number },
) {
  const { optimizer, quantizer, penalty, stepScale = 1, clipLatent = true } = one;
  const { update, definition } = optimizer;
  const row = tableOf(optimizer)[batch] ?? [];
  const kept = Object.fromEntries(update.slots.map((name, i) => [name, slots[i] ?? 0]));
  const scalars = Object.fromEntries(update.scalars.map((name, i) => [name, Math.fround(row[i] ?? 0)]));
  const passed = quantizer === undefined ? grad : grad * quantizer.gradient(w);
  const g = penalty === undefined ? passed : penalty.twin(w, passed);
  const stepped = definition.twin(
    { w, g, slots: kept, scalars, stepScale, measured, chance },
    optimizer.parameters as never,
  );
  const now = clipLatent ? Math.max(-1, Math.min(1, stepped)) : stepped;
  return {
    w: now,
    measure:
      definition.measure?.twin({ was: w, now, g, slots: kept, measured }, optimizer.parameters as never) ?? 0,
    slots: update.slots.map((name) => kept[name] ?? 0),
  };
}

/** What is kept of a tensor whose steps are measured; nothing yet. */
function measuresFor(scratch: Scratch, { update }: Optimizer, size: number, channels?: number) {
  return update.measure && scratch.tensor('measures', [measuresOf(size, channels)], 'f32');
}

/** What the measures are before the first step. */
const startOf = ({ definition }: Optimizer) => definition.measure?.start ?? 0;

const meanOf = (steps: readonly { readonly measure: number }[]) =>
  steps.reduce((sum, { measure }) => sum + measure, 0) / steps.length;

describe('binary weights', () => {
  const gpu = useGpu();

  /** Tensors of one binary parameter, their start values, and the options that update them. */
  function prepare(scratch: Scratch, one: Case, seed: number, halted = false) {
    const { shape, optimizer } = one;
    const filters = shape[0] ?? 1;
    const channels = shape.at(-1) ?? 1;
    const rows = sizeOf(shape) / channels;
    const values = drawParameter(one, shape, seed);
    const signs = packSigns(values.latent, rows, channels);
    const startFlips = Uint32Array.from({ length: filters }, (_, o) => 10 * o);
    const f32 = (label: string, data: Float32Array<ArrayBuffer>) => scratch.tensor(label, shape, 'f32', data);
    const count = values.slots.length;
    const tensors = {
      grad: f32('grad', values.grad),
      latent: f32('latent', values.latent),
      packed: scratch.tensor('packed', shape, 'bits', signs),
      slots:
        count === 0
          ? undefined
          : scratch.tensor(
              'slots',
              slotsShape(sizeOf(shape), channels, count),
              'f32',
              joined(values.slots, channels),
            ),
      table: scratch.tensor(
        'table',
        [2, optimizer.update.scalars.length],
        'f32',
        new Float32Array(tableOf(optimizer).flat()),
      ),
      flips: scratch.tensor('flips', [filters], 'u32', startFlips),
      state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ halted })),
      measures: measuresFor(scratch, optimizer, sizeOf(shape), channels),
    };
    const { grad, latent, packed, slots, table, flips, state } = tensors;
    const options: UpdateBinaryOptions = {
      update: optimizer.update,
      grad,
      latent,
      packed,
      slots,
      table,
      flips,
      state,
      measures: tensors.measures,
      stepScale: one.stepScale ?? 1,
      stream: STREAM,
      gradient: one.quantizer?.filling,
      penalty: one.penalty?.filling,
      clipLatent: one.clipLatent ?? true,
    };
    return { ...tensors, values, signs, startFlips, options, rows, channels, filters };
  }

  const named: Case[] = optimizers.flatMap((optimizer) => [
    { optimizer, shape: [5, 784], quantizer: quantizers[1], penalty: penalties[1] },
    { optimizer, shape: [4, 3, 3, 3], stepScale: 0.125 },
    { optimizer, shape: [3, 3, 3, 64], clipLatent: false, quantizer: quantizers[3] },
    { optimizer, shape: [2, 33], quantizer: quantizers[4], penalty: penalties[2] },
    { optimizer, shape: [1, 1] },
  ]);
  const between = (min: number, max: number) => fc.integer({ min, max });
  const random: Case[] = fc.sample(
    fc.record({
      optimizer: fc.constantFrom(...optimizers),
      shape: fc.oneof(
        fc.tuple(between(1, 9), between(1, 150)),
        fc.tuple(between(1, 6), between(1, 3), between(1, 3), between(1, 70)),
      ),
      quantizer: fc.constantFrom(...quantizers),
      penalty: fc.constantFrom(...penalties),
      clipLatent: fc.boolean(),
      stepScale: fc.constantFrom(1, 0.5, 3),
    }),
    { seed: 8, numRuns: 80 },
  );

  for (const [title, cases] of [
    ...named.map((one) => [nameOf(one), [one]] as const),
    ['80 random parameters', random] as const,
  ]) {
    test(`${title}, ${STEPS} steps`, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'updates');
      const checks = cases.map((one, i) => {
        const prepared = prepare(scratch, one, i);
        updateBinary(b, prepared.options);
        return { name: nameOf(one), one, measured: [startOf(one.optimizer)], ...prepared };
      });
      using program = await b.compile();
      for (let step = 0; step < STEPS; step++) {
        // The table has two rows: the last one is taken for ever.
        for (const { state } of checks)
          gpu().write(state, encodeTrainState({ step, batch: step, seed: SEED }));
        program.run();
        for (const check of checks) await follow(check, step);
      }
    });
  }

  interface Prepared extends ReturnType<typeof prepare> {
    readonly name: string;
    readonly one: Case;
    /** What was measured, the last step's at the end. */
    readonly measured: number[];
  }

  /** Takes the step on the host, from where the GPU was before it, and compares; leaves the GPU's values in place. */
  async function follow(check: Prepared, step: number): Promise<void> {
    const { name, one, values, rows, channels, filters } = check;
    const where = (what: string) => `${name} step ${step} ${what}`;
    const start = { batch: Math.min(step, 1), measured: check.measured.at(-1) ?? Number.NaN };
    const expected = Array.from(values.latent, (w, i) =>
      stepTwin(
        one,
        w,
        values.grad[i] ?? 0,
        values.slots.map((slot) => slot[i] ?? 0),
        { ...start, chance: chanceOf(i, channels, { seed: SEED, stream: STREAM, step }) },
      ),
    );
    if (check.measures !== undefined) {
      const [mean = Number.NaN, isThere] = await gpu().readFloats(check.measures);
      expectClose([mean], [meanOf(expected)], 1e-5, where('measured'));
      expect(isThere).toBe(1);
      check.measured.push(mean);
    }
    const got = await gpu().readFloats(check.latent);
    expectClose(
      got,
      expected.map(({ w }) => w),
      1e-5,
      where('latent'),
    );
    if (check.slots !== undefined) {
      const kept = parted(await gpu().readFloats(check.slots), values.slots.length, channels);
      for (const [slot, found] of kept.entries()) {
        expectClose(
          found,
          expected.map(({ slots }) => slots[slot] ?? 0),
          1e-5,
          where(`slot ${slot}`),
        );
        values.slots[slot]?.set(found);
      }
    }
    const bits = await gpu().readWords(check.packed);
    expectSame(bits, packSigns(got, rows, channels), where('packed mirror'));
    const [before, after] = [unpackSigns(check.signs, rows, channels), unpackSigns(bits, rows, channels)];
    for (let i = 0; i < before.length; i++) {
      const filter = Math.floor((i * filters) / before.length);
      if (before[i] !== after[i]) check.startFlips[filter] = (check.startFlips[filter] ?? 0) + 1;
    }
    expectSame(await gpu().readWords(check.flips), check.startFlips, where('flips'));
    check.signs.set(bits);
    values.latent.set(got);
  }

  for (const optimizer of optimizers) {
    test(`${optimizer.name}: the updates above do flip signs`, async () => {
      using scratch = new Scratch(gpu());
      const { options, flips, startFlips } = prepare(scratch, { optimizer, shape: [4, 96] }, 1);
      using _ = await runOnce(gpu(), 'flips', (b) => updateBinary(b, options));
      const now = await gpu().readWords(flips);
      for (const [o, count] of now.entries()) expect(count - (startFlips[o] ?? 0)).toBeGreaterThan(0);
    });

    for (const channels of [32, 35]) {
      test(`${optimizer.name} leaves a halted run as it is, ${channels} channels`, async () => {
        using scratch = new Scratch(gpu());
        const prepared = prepare(scratch, { optimizer, shape: [2, 3, channels] }, 3, true);
        using _ = await runOnce(gpu(), 'halted', (b) => updateBinary(b, prepared.options));
        const { values, signs, startFlips } = prepared;
        expectSame(await gpu().readFloats(prepared.latent), values.latent);
        if (prepared.slots)
          expectSame(await gpu().readFloats(prepared.slots), joined(values.slots, channels));
        if (prepared.measures)
          expectSame(await gpu().readFloats(prepared.measures), new Float32Array(prepared.measures.size));
        expectSame(await gpu().readWords(prepared.packed), signs);
        expectSame(await gpu().readWords(prepared.flips), startFlips);
      });
    }
  }

  for (const channels of [32, 35]) {
    test(`bop moves signs where there are no latent weights, as where there are, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const bop = optimizers.find(({ name }) => name === 'bop');
      if (bop === undefined) throw new Error('no bop');
      const one = { optimizer: bop, shape: [3, channels] };
      const [withLatent, without] = [prepare(scratch, one, 2), prepare(scratch, one, 2)];
      using _ = await runOnce(gpu(), 'bop', (b) => {
        updateBinary(b, withLatent.options);
        updateBinary(b, { ...without.options, latent: undefined });
      });
      const bits = await gpu().readWords(without.packed);
      expectSame(bits, await gpu().readWords(withLatent.packed));
      expectSame(await gpu().readFloats(withLatent.latent), unpackSigns(bits, 3, channels));
    });

    test(`a latent weight that becomes exactly 0 counts as +1, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const shape = [2, channels];
      // w - rate * g = 0 from below and from above.
      const latent = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i % 2 ? -0.25 : 0.25));
      const prepared = prepare(scratch, { optimizer: sgd({ momentum: 0 }), shape }, 0);
      gpu().write(prepared.latent, latent);
      gpu().write(prepared.packed, packSigns(latent, 2, channels));
      gpu().write(
        prepared.grad,
        latent.map((w) => w / RATE),
      );
      using _ = await runOnce(gpu(), 'zero', (b) => updateBinary(b, prepared.options));
      expect((await gpu().readFloats(prepared.latent)).every((w) => w === 0)).toBe(true);
      expectSame(await gpu().readWords(prepared.packed), new Uint32Array(2 * wordsFor(channels)));
      const negative = [0, 1].map(
        (o) => latent.subarray(o * channels, (o + 1) * channels).filter((w) => w < 0).length,
      );
      expectSame(await gpu().readWords(prepared.flips), [negative[0] ?? 0, 10 + (negative[1] ?? 0)]);
    });

    test(`a NaN gradient shows as a NaN latent weight, not as a clipped one, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const prepared = prepare(scratch, { optimizer: sgd(), shape: [1, channels] }, 0);
      gpu().write(prepared.grad, new Float32Array(channels).fill(Number.NaN));
      using _ = await runOnce(gpu(), 'nan', (b) => updateBinary(b, prepared.options));
      expect((await gpu().readFloats(prepared.latent)).every(Number.isNaN)).toBe(true);
    });
  }

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const { options, latent, flips } = prepare(scratch, { optimizer: adam(), shape: [2, 40] }, 0);
    const other = scratch.tensor('other', [40, 2], 'f32');
    expect(() => updateBinary(b, { ...options, stepScale: Number.NaN })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, slots: latent })).toThrow(/for m, v/);
    expect(() => updateBinary(b, { ...options, slots: undefined })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, table: other })).toThrow(/for rate/);
    expect(() => updateBinary(b, { ...options, packed: latent })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, flips: latent })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, state: flips })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, grad: other })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, measures: other })).toThrow(/no measures/);
    const measuring = prepare(scratch, { optimizer: tempered(), shape: [2, 40] }, 0).options;
    expect(() => updateBinary(b, { ...measuring, measures: undefined })).toThrow(/\[6\] f32/);
    expect(() => adam({ beta1: 1 })).toThrow(OptionError);
    expect(() => adam({ epsilon: 0 })).toThrow(OptionError);
    expect(() => adam({ beta: 0.9 } as never)).toThrow(/beta1/);
  });
});

describe('real parameters', () => {
  const gpu = useGpu();

  for (const optimizer of optimizers.map((one) => one.real ?? one)) {
    for (const shape of [[1], [7], [512], [3, 5, 4], [70_000]]) {
      for (const halted of [false, true]) {
        test(`${optimizer.name}_${shape.join('x')}${halted ? '_halted' : ''}`, async () => {
          using scratch = new Scratch(gpu());
          const size = sizeOf(shape);
          const { latent: start, grad, slots } = drawParameter({ optimizer }, shape, 5);
          const parameter = scratch.tensor('parameter', shape, 'f32', start);
          const count = slots.length;
          const kept =
            count === 0
              ? undefined
              : scratch.tensor('slots', slotsShape(size, size, count), 'f32', joined(slots, size));
          const table = scratch.tensor(
            'table',
            [2, optimizer.update.scalars.length],
            'f32',
            new Float32Array(tableOf(optimizer).flat()),
          );
          const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ halted }));
          const gradient = scratch.tensor('grad', shape, 'f32', grad);
          const { update } = optimizer;
          const measures = measuresFor(scratch, optimizer, size);
          using _ = await runOnce(gpu(), 'real', (b) =>
            updateReal(b, { update, grad: gradient, parameter, slots: kept, measures, table, state }),
          );
          const one: Case = { optimizer, shape, clipLatent: false };
          const expected = Array.from(start, (w, i) => {
            const own = slots.map((slot) => slot[i] ?? 0);
            return halted
              ? { w, slots: own, measure: 0 }
              : stepTwin(one, w, grad[i] ?? 0, own, {
                  ...{ batch: 0, measured: startOf(optimizer), chance: chanceOf(i, size, {}) },
                });
          });
          if (measures !== undefined) {
            const [mean, isThere] = await gpu().readFloats(measures);
            expectClose([mean ?? Number.NaN], [meanOf(expected)], 1e-5, 'measured');
            expect(isThere).toBe(halted ? 0 : 1);
          }
          const tolerance = halted ? 0 : 1e-5;
          expectClose(
            await gpu().readFloats(parameter),
            expected.map(({ w }) => w),
            tolerance,
            'parameter',
          );
          if (kept === undefined) return;
          for (const [slot, found] of parted(await gpu().readFloats(kept), count, size).entries()) {
            expectClose(
              found,
              expected.map((step) => step.slots[slot] ?? 0),
              tolerance,
              `slot ${slot}`,
            );
          }
        });
      }
    }
  }
});
