import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder, runOnce, type Tensor } from '../src/gpu/index.ts';
import {
  crossEntropy,
  defineLoss,
  distillation,
  LOSSES,
  type Loss,
  type LossName,
  resolveLoss,
  squaredHinge,
  type TargetKind,
} from '../src/methods/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal, pcg4d } from '../src/numerics/random.ts';
import { decodeTrainState, encodeTrainState, STATE_WORDS } from '../src/ops/data.ts';
import { loss } from '../src/ops/loss.ts';
import { NO_LABEL } from '../src/reference/data.ts';
import { loss as referenceLoss, type Targets } from '../src/reference/loss.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

/** Of real targets, and nobody's. */
const huber = defineLoss({
  name: 'huber',
  formula: 'e² / 2 where |e| <= 1, else |e| - 1/2; e = o - t',
  source: 'Huber 1964',
  targets: ['reals'],
  wgsl: `
    fn row_loss(row: Row) -> f32 {
      var loss = 0.0;
      for (var c = 0u; c < OUTPUTS; c++) {
        let e = output(row, c) - wanted(row, c);
        loss += select(abs(e) - 0.5, 0.5 * e * e, abs(e) <= 1.0);
        set_gradient(row, c, clamp(e, -1.0, 1.0) / row.rows);
      }
      return loss;
    }`,
  twin({ outputs, wanted }) {
    const errors = outputs.map((o, c) => o - (wanted[c] ?? 0));
    return {
      loss: errors.reduce((sum, e) => sum + (Math.abs(e) <= 1 ? (e * e) / 2 : Math.abs(e) - 0.5), 0),
      gradient: errors.map((e) => Math.max(-1, Math.min(1, e))),
    };
  },
});

const losses: readonly Loss[] = [
  ...Object.values(LOSSES).map((make) => (make as () => Loss)()),
  crossEntropy({ smoothing: 0.1 }),
  distillation({ temperature: 4, share: 0.75 }),
  huber(),
];

interface Case {
  readonly kind: Loss;
  readonly targets: TargetKind;
  /** Samples have weights. */
  readonly weighted: boolean;
  readonly batch: number;
  readonly classes: number;
  readonly scale: number;
  /** Rows at the end without a label. */
  readonly missing: number;
}

const nameOf = ({ kind, targets, weighted, batch, classes, scale, missing }: Case) =>
  [
    JSON.stringify(kind),
    targets,
    ...(weighted ? ['weighted'] : []),
    `B${batch}_C${classes}_scale${scale}`,
    ...(missing > 0 ? [`missing${missing}`] : []),
  ].join('_');

const RING = 4;

describe('losses', () => {
  const gpu = useGpu();

  const takes = ({ kind, targets }: Case) => kind.targets.includes(targets);
  const named = losses.flatMap((kind): Case[] => [
    { kind, targets: 'classes', weighted: false, batch: 100, classes: 10, scale: 1, missing: 0 },
    { kind, targets: 'classes', weighted: true, batch: 100, classes: 10, scale: 1, missing: 37 },
    { kind, targets: 'reals', weighted: false, batch: 20, classes: 10, scale: 1, missing: 3 },
    { kind, targets: 'classes', weighted: false, batch: 3, classes: 2, scale: 80, missing: 0 },
    { kind, targets: 'reals', weighted: true, batch: 1, classes: 1, scale: 1, missing: 0 },
    { kind, targets: 'classes', weighted: false, batch: 5, classes: 7, scale: 1, missing: 5 },
    { kind, targets: 'classes', weighted: false, batch: 130, classes: 300, scale: 3, missing: 1 },
    { kind, targets: 'bits', weighted: false, batch: 20, classes: 10, scale: 1, missing: 3 },
    { kind, targets: 'bits', weighted: true, batch: 9, classes: 31, scale: 1, missing: 1 },
    { kind, targets: 'bits', weighted: false, batch: 7, classes: 32, scale: 1, missing: 2 },
    { kind, targets: 'bits', weighted: false, batch: 3, classes: 1, scale: 1, missing: 0 },
  ]);
  const between = (min: number, max: number) => fc.integer({ min, max });
  const random: Case[] = fc
    .sample(
      fc.record({
        kind: fc.constantFrom(...losses),
        targets: fc.constantFrom<TargetKind>('classes', 'reals', 'bits'),
        weighted: fc.boolean(),
        batch: between(1, 200),
        classes: between(1, 30),
        scale: fc.constantFrom(0.1, 1, 10, 100),
        missing: between(0, 20),
      }),
      { seed: 4, numRuns: 80 },
    )
    .map((one) => ({ ...one, missing: Math.min(one.missing, one.batch) }));

  for (const [title, cases] of [
    ...named.filter(takes).map((one) => [nameOf(one), [one]] as const),
    ['80 random shapes', random.filter(takes)] as const,
  ]) {
    test(title, async () => {
      using scratch = new Scratch(gpu());
      const b = new ProgramBuilder(gpu(), 'losses');
      const checks: {
        name: string;
        grad: Tensor;
        metrics: Tensor;
        state: Tensor;
        expected: ReturnType<typeof referenceLoss>;
      }[] = [];
      cases.forEach((one, i) => {
        const { kind, weighted, batch, classes, scale, missing } = one;
        const values = Float32Array.from({ length: batch * classes }, (_, j) => scale * normal(i, 1, j));
        const isMissing = (row: number) => row >= batch - missing;
        const labels = Uint32Array.from({ length: batch }, (_, row) =>
          isMissing(row) ? NO_LABEL : pcg4d(i, 2, row, 0)[0] % classes,
        );
        const isBits = one.targets === 'bits';
        const numbers = Float32Array.from({ length: batch * classes }, (_, j) =>
          isBits ? pcg4d(i, 5, j, 0)[0] % 2 : Math.abs(normal(i, 4, j)),
        );
        const bits = packSigns(
          Array.from({ length: batch * (classes + 1) }, (_, j) => {
            const [row, c] = [Math.floor(j / (classes + 1)), j % (classes + 1)];
            return (c === classes ? isMissing(row) : numbers[row * classes + c] === 1) ? -1 : 1;
          }),
          batch,
          classes + 1,
        );
        const taught = values.map((_, j) => scale * normal(i, 3, j));
        const weights = Float32Array.from({ length: batch }, (_, row) => (row % 5) / 2);
        const words = new Uint32Array(numbers.buffer);
        for (let row = 0; row < batch; row++) if (isMissing(row)) words[row * classes] = NO_LABEL;
        const targets: Targets = one.targets === 'classes' ? { labels } : { reals: numbers };
        const metrics = scratch.tensor('metrics', [RING, 4], 'f32');
        const state = scratch.tensor('state', [STATE_WORDS], 'u32', encodeTrainState({ step: 6 }));
        const grad = loss(b, {
          loss: kind,
          logits: scratch.tensor('logits', [batch, classes], 'f32', values),
          targets: {
            reals: () => scratch.tensor('reals', [batch, classes], 'f32', numbers),
            classes: () => scratch.tensor('labels', [batch], 'u32', labels),
            bits: () => scratch.tensor('bits', [batch, classes + 1], 'bits', bits),
          }[one.targets](),
          teacher: kind.teacher ? scratch.tensor('teacher', [batch, classes], 'f32', taught) : undefined,
          weights: weighted ? scratch.tensor('weights', [batch], 'f32', weights) : undefined,
          state,
          metrics,
        });
        b.keep(grad);
        checks.push({
          name: nameOf(one),
          grad,
          metrics,
          state,
          expected: referenceLoss(kind.twin, values, targets, classes, {
            ...(kind.teacher ? { teacher: taught } : {}),
            ...(weighted ? { weights } : {}),
          }),
        });
      });
      using program = await b.compile();
      program.run();
      for (const { name, grad, metrics, state, expected } of checks) {
        const ring = await gpu().readFloats(metrics);
        // Step 6 goes into entry 2; the others are untouched.
        expectClose(ring.subarray(8, 9), [expected.loss], 1e-4, `${name} loss`);
        expectSame(ring.subarray(9, 12), [expected.correct, expected.valid, 6], `${name} counts`);
        expectSame([...ring.subarray(0, 8), ...ring.subarray(12)], new Array(12).fill(0), `${name} others`);
        expectClose(await gpu().readFloats(grad), expected.gradLogits, 1e-4, `${name} gradient`);
        expect(decodeTrainState(await gpu().readWords(state)).halted).toBe(false);
      }
    });
  }

  for (const kind of losses) {
    test(`${JSON.stringify(kind)}: the gradient of the twin agrees with central differences`, () => {
      const [outputs, wanted, taught] = [1, 2, 3].map((stream) =>
        Array.from({ length: 4 }, (_, i) => normal(3, stream, i)),
      ) as [number[], number[], number[]];
      const at = (changed: number[]) => kind.twin({ outputs: changed, wanted, taught }).loss;
      const slopes = outputs.map(
        (value, i) => (at(outputs.with(i, value + 1e-5)) - at(outputs.with(i, value - 1e-5))) / 2e-5,
      );
      expectClose(kind.twin({ outputs, wanted, taught }).gradient, slopes, 1e-6);
    });
  }

  const evaluate = async (
    scratch: Scratch,
    logits: number[],
    labels: number[],
    options: { evaluate?: boolean; halted?: boolean; kind?: LossName } = {},
  ) => {
    const classes = logits.length / labels.length;
    const metrics = scratch.tensor('metrics', [1, 4], 'f32', Float32Array.of(-1, -1, -1, -1));
    const state = scratch.tensor(
      'state',
      [STATE_WORDS],
      'u32',
      encodeTrainState({ halted: options.halted ?? false }),
    );
    using _ = await runOnce(gpu(), 'loss', (b) =>
      loss(b, {
        loss: resolveLoss(options.kind ?? 'squaredHinge'),
        logits: scratch.tensor('logits', [labels.length, classes], 'f32', Float32Array.from(logits)),
        targets: scratch.tensor('labels', [labels.length], 'u32', Uint32Array.from(labels)),
        state,
        metrics,
        evaluate: options.evaluate ?? false,
      }),
    );
    const [value = 0, correct = 0, valid = 0] = await gpu().readFloats(metrics);
    return { value, correct, valid, halted: decodeTrainState(await gpu().readWords(state)).halted };
  };

  test('of several largest logits the first is the answer', async () => {
    using scratch = new Scratch(gpu());
    const logits = [1, 5, 5, 5, 5, 5, -2, -2, -2];
    expect((await evaluate(scratch, logits, [1, 1, 1])).correct).toBe(1);
    expect((await evaluate(scratch, logits, [2, 0, 0])).correct).toBe(2);
  });

  for (const kind of [
    'squaredHinge',
    'crossEntropy',
    'binaryCrossEntropy',
    'meanSquare',
    'meanAbsolute',
  ] as const) {
    for (const [title, logits, labels] of [
      ['NaN', [1, Number.NaN, 0, 0], [0, 1]],
      ['NaN in first place', [Number.NaN, 1, 0, 0], [0, 1]],
      ['+infinity', [1, 0, Number.POSITIVE_INFINITY, 0], [0, 0]],
      ['-infinity', [1, 0, Number.NEGATIVE_INFINITY, 0], [0, 1]],
      ['a label that is no class', [1, 0, 1, 0], [0, 2]],
    ] as const) {
      test(`${kind}: ${title} halts the run and is reported as NaN`, async () => {
        using scratch = new Scratch(gpu());
        const result = await evaluate(scratch, [...logits], [...labels], { kind });
        expect(result).toMatchObject({ value: Number.NaN, valid: 2, halted: true });
        expect(await evaluate(scratch, [...logits], [...labels], { kind, evaluate: true })).toMatchObject({
          value: Number.NaN,
          halted: false,
        });
      });
    }
  }

  test('a loss that overflows f32 halts the run', async () => {
    using scratch = new Scratch(gpu());
    expect(await evaluate(scratch, [-1e30, 0], [0])).toMatchObject({ value: Number.NaN, halted: true });
  });

  test('a NaN in a row without label is nobody’s', async () => {
    using scratch = new Scratch(gpu());
    const result = await evaluate(scratch, [1, -1, Number.NaN, 0], [0, NO_LABEL]);
    expect(result).toEqual({ value: 0, correct: 1, valid: 1, halted: false });
  });

  test('a halted run keeps the metrics it stopped with; evaluation goes on', async () => {
    using scratch = new Scratch(gpu());
    const untouched = { value: -1, correct: -1, valid: -1, halted: true };
    expect(await evaluate(scratch, [1, -1], [0], { halted: true })).toEqual(untouched);
    expect(await evaluate(scratch, [1, -1], [0], { halted: true, evaluate: true })).toEqual({
      value: 0,
      correct: 1,
      valid: 1,
      halted: true,
    });
  });

  test('wrong shapes and options are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'refused');
    const good = {
      loss: squaredHinge(),
      logits: scratch.tensor('logits', [4, 3], 'f32'),
      targets: scratch.tensor('labels', [4], 'u32'),
      state: scratch.tensor('state', [STATE_WORDS], 'u32'),
      metrics: scratch.tensor('metrics', [2, 4], 'f32'),
    };
    expect(() => loss(b, { ...good, targets: scratch.tensor('bytes', [4], 'u8') })).toThrow(ShapeError);
    expect(() => loss(b, { ...good, metrics: scratch.tensor('flat', [8], 'f32') })).toThrow(ShapeError);
    expect(() => loss(b, { ...good, logits: good.targets })).toThrow(ShapeError);
    expect(() => loss(b, { ...good, state: good.targets })).toThrow(ShapeError);
    expect(() => loss(b, { ...good, loss: huber() })).toThrow(/reals/);
    expect(() => loss(b, { ...good, loss: distillation() })).toThrow(/teacher/);
    expect(() => loss(b, { ...good, teacher: good.logits })).toThrow(OptionError);
    expect(() => resolveLoss('hinge' as 'squaredHinge')).toThrow(/squaredHinge/);
  });
});
