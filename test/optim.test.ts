import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Shape, sizeOf, type Tensor, wordsFor } from '../src/gpu/index.ts';
import { encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { type UpdateBinaryOptions, updateBinary, updateReal } from '../src/ops/optim.ts';
import * as reference from '../src/reference/optim.ts';
import { packSigns, unpackSigns } from '../src/reference/pack.ts';
import { normal, uniform01 } from '../src/reference/random.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

interface Case {
  readonly optimizer: 'adam' | 'sgd' | 'bop';
  readonly shape: Shape;
  readonly weightGate: reference.WeightGate;
  readonly clipLatent: boolean;
  readonly stepScale: number;
  readonly momentum: number;
}

const nameOf = ({ optimizer, shape, weightGate, clipLatent, stepScale, momentum }: Case) =>
  [
    optimizer,
    shape.join('x'),
    weightGate,
    clipLatent ? 'clipped' : 'free',
    `scale${stepScale}`,
    `momentum${momentum}`,
  ].join('_');

const BETAS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
/** (step size, gamma, threshold): large enough that signs flip and weights reach the clip. */
const HYPER = [0.25, 0.3, 0.05, 0] as const;
const STEPS = 3;

/** A parameter with gradients and slots, some weights at 0 and at the ends. */
function drawParameter(shape: Shape, seed: number) {
  const size = sizeOf(shape);
  const latent = Float32Array.from(
    { length: size },
    (_, i) => [0, -0, 1, -1][i % 11] ?? normal(seed, 1, i) / 2,
  );
  const grad = Float32Array.from({ length: size }, (_, i) => normal(seed, 2, i));
  const m = Float32Array.from({ length: size }, (_, i) => normal(seed, 3, i) / 8);
  const v = Float32Array.from({ length: size }, (_, i) => uniform01(seed, 4, i));
  return { latent, grad, m, v };
}

describe('binary weights', () => {
  const gpu = useGpu();

  /** Tensors of one binary parameter, their start values, and the options that update them. */
  function prepare(scratch: Scratch, one: Case, seed: number, halted = false) {
    const { shape } = one;
    const filters = shape[0] ?? 1;
    const channels = shape.at(-1) ?? 1;
    const rows = sizeOf(shape) / channels;
    const values = drawParameter(shape, seed);
    const signs = packSigns(values.latent, rows, channels);
    const startFlips = Uint32Array.from({ length: filters }, (_, o) => 10 * o);
    const f32 = (label: string, data: Float32Array<ArrayBuffer>) => scratch.tensor(label, shape, 'f32', data);
    const hyper = HYPER;
    const tensors = {
      grad: f32('grad', values.grad),
      latent: f32('latent', values.latent),
      packed: scratch.tensor('packed', shape, 'bits', signs),
      m: f32('m', values.m),
      v: f32('v', values.v),
      flips: scratch.tensor('flips', [filters], 'u32', startFlips),
      state: scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ hyper, halted })),
    };
    const { grad, latent, packed, m, v, flips, state } = tensors;
    const slots =
      one.optimizer === 'adam' ? [m, v] : one.optimizer === 'sgd' && one.momentum === 0 ? [] : [m];
    const options: UpdateBinaryOptions = {
      ...BETAS,
      optimizer: one.optimizer,
      grad,
      packed,
      slots,
      flips,
      state,
      momentum: one.momentum,
      stepScale: one.stepScale,
      weightGate: one.weightGate,
      clip: 0.4,
      clipLatent: one.clipLatent,
      ...(one.optimizer === 'bop' ? {} : { latent }),
    };
    return { ...tensors, values, signs, startFlips, options, rows, channels, filters };
  }

  const gates = ['none', 'steSign', 'approxSign', 'swishSign'] as const;
  const plain = { weightGate: 'none', clipLatent: true, stepScale: 1, momentum: 0 } as const;
  const named: Case[] = [
    { ...plain, optimizer: 'adam', shape: [5, 784] },
    { ...plain, optimizer: 'adam', shape: [4, 3, 3, 3], stepScale: 0.125 },
    { ...plain, optimizer: 'adam', shape: [3, 3, 3, 64], clipLatent: false, weightGate: 'steSign' },
    { ...plain, optimizer: 'sgd', shape: [2, 33] },
    { ...plain, optimizer: 'sgd', shape: [2, 36], momentum: 0.9, weightGate: 'swishSign' },
    { ...plain, optimizer: 'bop', shape: [3, 2, 2, 40] },
    { ...plain, optimizer: 'bop', shape: [1, 1] },
  ];
  const between = (min: number, max: number) => fc.integer({ min, max });
  const random: Case[] = fc.sample(
    fc.record({
      optimizer: fc.constantFrom('adam' as const, 'sgd' as const, 'bop' as const),
      shape: fc.oneof(
        fc.tuple(between(1, 9), between(1, 150)),
        fc.tuple(between(1, 6), between(1, 3), between(1, 3), between(1, 70)),
      ),
      weightGate: fc.constantFrom(...gates),
      clipLatent: fc.boolean(),
      stepScale: fc.constantFrom(1, 0.5, 3),
      momentum: fc.constantFrom(0, 0.5, 0.9),
    }),
    { seed: 8, numRuns: 120 },
  );

  for (const [title, cases] of [
    ...named.map((one) => [nameOf(one), [one]] as const),
    ['120 random parameters', random] as const,
  ]) {
    test(`${title}, ${STEPS} steps`, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'updates');
      const checks = cases.map((one, i) => {
        const prepared = prepare(scratch, one, i);
        updateBinary(b, prepared.options);
        return { name: nameOf(one), one, ...prepared };
      });
      using program = await b.compile();
      for (let step = 0; step < STEPS; step++) {
        program.run();
        for (const check of checks) await follow(check, step);
      }
    });
  }

  type Prepared = ReturnType<typeof prepare> & { readonly name: string; readonly one: Case };

  /** Takes the step on the host, from where the GPU was before it, and compares; leaves the GPU's values in place. */
  async function follow(check: Prepared, step: number): Promise<void> {
    const { name, one, values, rows, channels, filters } = check;
    const where = (what: string) => `${name} step ${step} ${what}`;
    const { grad, latent, m, v } = values;
    const before = unpackSigns(check.signs, rows, channels);
    const [rate, gamma, threshold] = HYPER;
    const gotM = await gpu().readFloats(check.m);
    const gotBits = await gpu().readWords(check.packed);
    const after = unpackSigns(gotBits, rows, channels);
    if (one.optimizer === 'bop') {
      const average = Float64Array.from(m);
      reference.bopAverage(average, grad, gamma);
      expectClose(gotM, average, 1e-5, where('m'));
      // With the GPU's own m, which is an f32, the flips are exact.
      expectSame(after, reference.bopFlip(before, gotM, Math.fround(threshold)), where('signs'));
    } else {
      const w = Float64Array.from(latent);
      const [first, second] = [Float64Array.from(m), Float64Array.from(v)];
      const g = reference.gated(grad, latent, one.weightGate, 0.4);
      if (one.optimizer === 'adam') {
        reference.adam(w, g, first, second, { ...BETAS, rate: rate * one.stepScale });
      } else {
        const velocity = one.momentum === 0 ? undefined : first;
        reference.sgd(w, g, velocity, { rate: rate * one.stepScale, momentum: one.momentum });
      }
      if (one.clipLatent) reference.clipLatent(w);
      const gotLatent = await gpu().readFloats(check.latent);
      const gotV = await gpu().readFloats(check.v);
      expectClose(gotLatent, w, 1e-5, where('latent'));
      expectClose(gotM, first, 1e-5, where('first slot'));
      expectClose(gotV, second, 1e-5, where('second slot'));
      expectSame(gotBits, packSigns(gotLatent, rows, channels), where('packed mirror'));
      values.latent.set(gotLatent);
      values.v.set(gotV);
    }
    values.m.set(gotM);
    const flips = reference.countFlips(before, after, filters);
    check.startFlips.forEach((count, o) => {
      check.startFlips[o] = count + (flips[o] ?? 0);
    });
    expectSame(await gpu().readWords(check.flips), check.startFlips, where('flips'));
    check.signs.set(gotBits);
  }

  test('the updates above do flip signs and reach the clip', async () => {
    using scratch = new Scratch(gpu());
    for (const optimizer of ['adam', 'sgd', 'bop'] as const) {
      const one: Case = { ...plain, optimizer, shape: [4, 96] };
      const { options, latent, flips, startFlips } = prepare(scratch, one, 1);
      using _ = await runOnce(gpu(), 'flips', (b) => updateBinary(b, options));
      const now = await gpu().readWords(flips);
      now.forEach((count, o) => {
        expect(count - (startFlips[o] ?? 0), optimizer).toBeGreaterThan(0);
      });
      if (optimizer === 'bop') continue;
      const sizes = (await gpu().readFloats(latent)).map(Math.abs);
      expect(Math.max(...sizes)).toBe(1);
    }
  });

  for (const channels of [32, 35]) {
    test(`bop keeps float signs up to date when there are any, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const prepared = prepare(scratch, { ...plain, optimizer: 'bop', shape: [3, channels] }, 2);
      using _ = await runOnce(gpu(), 'bop', (b) =>
        updateBinary(b, { ...prepared.options, latent: prepared.latent }),
      );
      const bits = await gpu().readWords(prepared.packed);
      expectSame(await gpu().readFloats(prepared.latent), unpackSigns(bits, 3, channels));
    });

    test(`a latent weight that becomes exactly 0 counts as +1, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const shape = [2, channels];
      const size = sizeOf(shape);
      // w - rate * g = 0 from below and from above.
      const latent = Float32Array.from({ length: size }, (_, i) => (i % 2 ? -0.25 : 0.25));
      const prepared = prepare(scratch, { ...plain, optimizer: 'sgd', shape }, 0);
      gpu().write(prepared.latent, latent);
      gpu().write(prepared.packed, packSigns(latent, 2, channels));
      gpu().write(
        prepared.grad,
        latent.map((w) => 4 * w),
      );
      using _ = await runOnce(gpu(), 'zero', (b) => updateBinary(b, prepared.options));
      expect((await gpu().readFloats(prepared.latent)).every((w) => w === 0)).toBe(true);
      expectSame(await gpu().readWords(prepared.packed), new Uint32Array(2 * wordsFor(channels)));
      const odd = [0, 1].map(
        (o) => latent.subarray(o * channels, (o + 1) * channels).filter((w) => w < 0).length,
      );
      expectSame(await gpu().readWords(prepared.flips), [odd[0] ?? 0, 10 + (odd[1] ?? 0)]);
    });

    test(`a NaN gradient shows as a NaN latent weight, not as a clipped one, ${channels} channels`, async () => {
      using scratch = new Scratch(gpu());
      const prepared = prepare(scratch, { ...plain, optimizer: 'sgd', shape: [1, channels] }, 0);
      gpu().write(prepared.grad, new Float32Array(channels).fill(Number.NaN));
      using _ = await runOnce(gpu(), 'nan', (b) => updateBinary(b, prepared.options));
      expect((await gpu().readFloats(prepared.latent)).every(Number.isNaN)).toBe(true);
    });

    for (const optimizer of ['adam', 'sgd', 'bop'] as const) {
      test(`${optimizer} leaves a halted run as it is, ${channels} channels`, async () => {
        using scratch = new Scratch(gpu());
        const one: Case = { ...plain, optimizer, shape: [2, 3, channels], momentum: 0.9 };
        const prepared = prepare(scratch, one, 3, true);
        using _ = await runOnce(gpu(), 'halted', (b) =>
          updateBinary(b, { ...prepared.options, latent: prepared.latent }),
        );
        const { values, signs, startFlips } = prepared;
        expectSame(await gpu().readFloats(prepared.latent), values.latent);
        expectSame(await gpu().readFloats(prepared.m), values.m);
        expectSame(await gpu().readFloats(prepared.v), values.v);
        expectSame(await gpu().readWords(prepared.packed), signs);
        expectSame(await gpu().readWords(prepared.flips), startFlips);
      });
    }
  }

  test('the step scale scales the step and not the gradient: Adam moves by it', async () => {
    using scratch = new Scratch(gpu());
    const moved = async (stepScale: number, gradScale: number) => {
      const one: Case = { ...plain, optimizer: 'adam', shape: [1, 32], stepScale, clipLatent: false };
      const prepared = prepare(scratch, one, 4);
      gpu().write(prepared.m, new Float32Array(32));
      gpu().write(prepared.v, new Float32Array(32));
      gpu().write(
        prepared.grad,
        prepared.values.grad.map((g) => gradScale * g),
      );
      using _ = await runOnce(gpu(), 'scale', (b) => updateBinary(b, prepared.options));
      return (await gpu().readFloats(prepared.latent)).map((w, i) => w - (prepared.values.latent[i] ?? 0));
    };
    const whole = await moved(1, 1);
    // Apart from epsilon, which is felt by the smallest gradients.
    expectClose(await moved(1, 0.5), whole, 1e-2, 'scaled gradient');
    expectClose(
      await moved(0.5, 1),
      whole.map((change) => change / 2),
      1e-4,
      'scaled step',
    );
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const { options, latent, flips, m, v, grad } = prepare(
      scratch,
      { ...plain, optimizer: 'adam', shape: [2, 40] },
      0,
    );
    const { latent: _, ...withoutLatent } = options;
    expect(() => updateBinary(b, withoutLatent)).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, slots: [m] })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, beta1: 1 })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, epsilon: 0 })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, stepScale: Number.NaN })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, weightGate: 'ste' as 'none' })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, optimizer: 'lion' as 'adam' })).toThrow(OptionError);
    expect(() => updateBinary(b, { ...options, packed: latent })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, slots: [m, flips] })).toThrow(ShapeError);
    expect(() => updateBinary(b, { ...options, flips: m })).toThrow(ShapeError);
    const other = scratch.tensor('other', [40, 2], 'f32');
    expect(() => updateBinary(b, { ...options, grad: other })).toThrow(ShapeError);
    const real = { ...BETAS, grad, parameter: latent, slots: [m, v], state: options.state };
    expect(() => updateReal(b, { ...real, optimizer: 'sgd', momentum: 0.5 })).toThrow(OptionError);
    expect(() => updateReal(b, { ...real, optimizer: 'adam', parameter: other })).toThrow(ShapeError);
  });
});

describe('real parameters', () => {
  const gpu = useGpu();

  for (const optimizer of ['adam', 'sgd'] as const) {
    for (const momentum of optimizer === 'sgd' ? [0, 0.9] : [0]) {
      for (const shape of [[1], [7], [512], [3, 5, 4], [70_000]]) {
        for (const halted of [false, true]) {
          const title = `${optimizer}_${shape.join('x')}_momentum${momentum}${halted ? '_halted' : ''}`;
          test(title, async () => {
            using scratch = new Scratch(gpu());
            const { latent: start, grad, m, v } = drawParameter(shape, 5);
            const f32 = (label: string, data: Float32Array<ArrayBuffer>): Tensor =>
              scratch.tensor(label, shape, 'f32', data);
            const parameter = f32('parameter', start);
            const slots = [f32('m', m), ...(optimizer === 'adam' ? [f32('v', v)] : [])];
            const state = scratch.tensor(
              'state',
              [STATE_WORDS],
              'u32',
              encodeTrainState({ hyper: HYPER, halted }),
            );
            const used = optimizer === 'sgd' && momentum === 0 ? [] : slots;
            const gradient = f32('grad', grad);
            using _ = await runOnce(gpu(), 'real', (b) =>
              updateReal(b, { ...BETAS, optimizer, grad: gradient, parameter, slots: used, state, momentum }),
            );
            const w = Float64Array.from(start);
            const [first, second] = [Float64Array.from(m), Float64Array.from(v)];
            const [rate] = HYPER;
            if (halted) {
              // Nothing moves.
            } else if (optimizer === 'adam') reference.adam(w, grad, first, second, { ...BETAS, rate });
            else reference.sgd(w, grad, momentum === 0 ? undefined : first, { rate, momentum });
            const tolerance = halted ? 0 : 1e-5;
            expectClose(await gpu().readFloats(parameter), w, tolerance, 'parameter');
            for (const [i, slot] of slots.entries())
              expectClose(await gpu().readFloats(slot), i === 0 ? first : second, tolerance, `slot ${i}`);
          });
        }
      }
    }
  }

  test('the gates are the derivatives of their smooth signs', () => {
    // Bi-Real Net's piecewise polynomial and BNN+'s SignSwish.
    const polynomial = (x: number) => Math.sign(x) * (2 * Math.abs(x) - x * x);
    const swish = (x: number) => {
      const s = 1 / (1 + Math.exp(-5 * x));
      return 2 * s * (1 + 5 * x * (1 - s)) - 1;
    };
    for (const x of [-1.7, -0.9, -0.3, 0.01, 0.4, 0.99, 2.2]) {
      const slope = (f: (x: number) => number) => (f(x + 1e-6) - f(x - 1e-6)) / 2e-6;
      expect(reference.weightGate('approxSign', x)).toBeCloseTo(Math.abs(x) < 1 ? slope(polynomial) : 0, 6);
      expect(reference.weightGate('swishSign', x)).toBeCloseTo(slope(swish), 6);
      expect(reference.weightGate('steSign', x)).toBe(Math.abs(x) <= 1 ? 1 : 0);
      expect(reference.weightGate('none', x)).toBe(1);
    }
  });
});
