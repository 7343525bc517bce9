/** What an evaluation counts on the GPU, against its twin, and the scores that follow; gradients that are clipped. */
import { describe, expect, test } from 'vitest';
import { OptionError, ShapeError } from '../src/errors.ts';
import { ProgramBuilder } from '../src/gpu/index.ts';
import { packSigns } from '../src/numerics/pack.ts';
import { normal, pcg4d } from '../src/numerics/random.ts';
import { BEST, decodeTally, tally, tallyWords } from '../src/ops/loss.ts';
import { clipGradients } from '../src/ops/optim.ts';
import { NO_LABEL } from '../src/reference/data.ts';
import { tallyOfClasses, tallyOfOutputs } from '../src/reference/loss.ts';
import { scoresOf } from '../src/train/scores.ts';
import { expectClose, expectSame, Scratch, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

describe('the counts of an evaluation', () => {
  const SHAPES = [
    [100, 10, 0],
    [7, 3, 2],
    [1, 1, 0],
    [130, 65, 9],
    [70, 600, 1],
  ] as const;

  test.each(SHAPES)(
    'of classes: %d rows of %d outputs, %d of them without a label',
    async (rows, outputs, missing) => {
      using scratch = new Scratch(gpu());
      // Halves, so that some outputs are equal.
      const logits = Float32Array.from(
        { length: rows * outputs },
        (_, i) => Math.round(4 * normal(1, rows, i)) / 2,
      );
      const labels = Uint32Array.from({ length: rows }, (_, i) =>
        i >= rows - missing ? NO_LABEL : pcg4d(2, rows, i, 0)[0] % outputs,
      );
      const counts = scratch.tensor('tally', [tallyWords('classes', outputs)], 'u32');
      const b = new ProgramBuilder(gpu(), 'tally');
      tally(b, {
        logits: scratch.tensor('logits', [rows, outputs], 'f32', logits),
        targets: scratch.tensor('labels', [rows], 'u32', labels),
        tally: counts,
      });
      using program = await b.compile();
      // Twice: counts are added to those that there are.
      program.run(2);
      const found = decodeTally('classes', await gpu().readWords(counts), outputs, 2 * (rows - missing));
      const expected = tallyOfClasses(logits, labels, outputs, BEST);
      if (found.kind !== 'classes') throw new Error(found.kind);
      const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
      const { pairs } = expected;
      expect(found.best).toBe(2 * expected.best);
      expectSame(
        found.actual,
        pairs.map((row) => 2 * sum(row)),
      );
      expectSame(
        found.given,
        pairs.map((_, c) => 2 * sum(pairs.map((row) => row[c] ?? 0))),
      );
      expectSame(
        found.right,
        pairs.map((row, c) => 2 * (row[c] ?? 0)),
      );
      expect(found.pairs).toEqual(outputs > 512 ? undefined : pairs.map((row) => row.map((n) => 2 * n)));
    },
  );

  test.each(SHAPES)(
    'of bits and reals: %d rows of %d outputs, %d of them without targets',
    async (rows, outputs, missing) => {
      using scratch = new Scratch(gpu());
      const logits = Float32Array.from({ length: rows * outputs }, (_, i) => normal(3, rows, i));
      const isMissing = (row: number) => row >= rows - missing;
      const wanted = (kind: 'bits' | 'reals') =>
        Float32Array.from({ length: rows * outputs }, (_, i) => {
          if (isMissing(Math.floor(i / outputs))) return Number.NaN;
          return kind === 'bits' ? pcg4d(4, rows, i, 0)[0] % 2 : 1 + normal(4, rows, i);
        });
      const reals = wanted('reals');
      const words = new Uint32Array(reals.slice().buffer);
      for (let row = 0; row < rows; row++) if (isMissing(row)) words[row * outputs] = NO_LABEL;
      const bits = wanted('bits');
      const packed = packSigns(
        Array.from({ length: rows * (outputs + 1) }, (_, i) => {
          const [row, c] = [Math.floor(i / (outputs + 1)), i % (outputs + 1)];
          return (c === outputs ? isMissing(row) : bits[row * outputs + c] === 1) ? -1 : 1;
        }),
        rows,
        outputs + 1,
      );
      const b = new ProgramBuilder(gpu(), 'tally');
      const given = scratch.tensor('logits', [rows, outputs], 'f32', logits);
      const targets = {
        bits: scratch.tensor('bits', [rows, outputs + 1], 'bits', packed),
        reals: scratch.tensor('reals', [rows, outputs], 'f32', new Float32Array(words.buffer)),
      };
      const counts = {
        bits: scratch.tensor('tally of bits', [4 * outputs], 'u32'),
        reals: scratch.tensor('tally of reals', [4 * outputs], 'u32'),
      };
      for (const kind of ['bits', 'reals'] as const)
        tally(b, { logits: given, targets: targets[kind], tally: counts[kind] });
      using program = await b.compile();
      program.run(2);
      for (const [kind, numbers] of [
        ['bits', bits],
        ['reals', reals],
      ] as const) {
        const found = decodeTally(kind, await gpu().readWords(counts[kind]), outputs, rows);
        if (found.kind === 'classes') throw new Error(found.kind);
        const expected = tallyOfOutputs(kind, logits, numbers, outputs)
          .flat()
          .map((value) => 2 * value);
        if (kind === 'bits') expectSame(found.outputs.flat(), expected);
        else expectClose(found.outputs.flat(), expected, 1e-5);
      }
    },
  );

  test('counts of another size are refused', () => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'tally');
    const wrong = {
      logits: scratch.tensor('logits', [4, 3], 'f32'),
      targets: scratch.tensor('labels', [4], 'u32'),
      tally: scratch.tensor('tally', [3], 'u32'),
    };
    expect(() => tally(b, wrong)).toThrow(ShapeError);
  });
});

describe('scores', () => {
  test('of classes: precision, recall, F1 and the best five, by hand', () => {
    // Rows are classes, columns what they were taken for.
    const pairs = [
      [3, 1, 0],
      [2, 4, 0],
      [0, 0, 0],
    ];
    const scores = scoresOf(
      { kind: 'classes', rows: 10, best: 10, actual: [4, 6, 0], given: [5, 5, 0], right: [3, 4, 0], pairs },
      ['a', 'b', 'c'],
    );
    if (scores.targets !== 'classes') throw new Error(scores.targets);
    expect(scores.classes[0]).toEqual({ name: 'a', count: 4, precision: 0.6, recall: 0.75, f1: 6 / 9 });
    expect(scores.classes[1]).toMatchObject({ precision: 0.8, recall: 4 / 6, f1: 8 / 11 });
    expect(scores.classes[2]?.f1).toBeNaN();
    expect(scores.f1).toBeCloseTo((6 / 9 + 8 / 11) / 2, 12);
    expect(scores.confusion).toEqual(pairs);
  });

  test('of bits and of reals, by hand', () => {
    const bits = scoresOf({ kind: 'bits', rows: 10, outputs: [[3, 1, 2, 4]] }, ['no', 'yes']);
    if (bits.targets !== 'bits') throw new Error(bits.targets);
    expect(bits.classes).toEqual([{ name: 'yes', count: 5, precision: 0.75, recall: 0.6, f1: 6 / 9 }]);
    // Targets 1, 2, 3; outputs 1, 2, 4.
    const reals = scoresOf({ kind: 'reals', rows: 3, outputs: [[1, 1, 6, 14]] }, ['price']);
    if (reals.targets !== 'reals') throw new Error(reals.targets);
    expect(reals.outputs[0]).toMatchObject({
      name: 'price',
      meanSquare: 1 / 3,
      meanAbsolute: 1 / 3,
      r2: 0.5,
    });
  });
});

describe('clipped gradients', () => {
  const sizes = [1, 7, 130, 9000];
  const gradients = sizes.map((size, i) => Float32Array.from({ length: size }, (_, j) => normal(5, i, j)));
  const length = Math.hypot(...gradients.flatMap((gradient) => [...gradient]));

  test.each([
    ['norm', 0.5 * length],
    ['norm', 2 * length],
    ['value', 0.7],
  ] as const)('%s %d', async (kind, most) => {
    using scratch = new Scratch(gpu());
    const b = new ProgramBuilder(gpu(), 'clip');
    const given = gradients.map((data, i) => scratch.tensor(`gradient ${i}`, [data.length], 'f32', data));
    const clip = kind === 'norm' ? { norm: most } : { value: most };
    const clipped = clipGradients(b, given, clip);
    for (const tensor of clipped) b.keep(tensor);
    using program = await b.compile();
    program.run();
    for (const [i, tensor] of clipped.entries()) {
      const own = [...(gradients[i] ?? [])];
      const factor = Math.min(1, most / length);
      const expected =
        kind === 'norm' ? own.map((g) => g * factor) : own.map((g) => Math.max(-most, Math.min(most, g)));
      if (kind === 'norm' && factor === 1) expectSame(await gpu().readFloats(tensor), own);
      else expectClose(await gpu().readFloats(tensor), expected, 1e-5);
    }
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('to %d is refused', (norm) => {
    expect(() => clipGradients(new ProgramBuilder(gpu(), 'clip'), [], { norm })).toThrow(OptionError);
  });
});
