/**
 * Holds a method's WGSL against its float64 twin on a GPU: what the tests of this library do with every method that it has, for
 * methods of others.
 */
import { OptionError } from '../errors.ts';
import { type Gpu, ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';
import { pcg4d, toUniform } from '../numerics/random.ts';
import { encodeTrainState, STATE_WORDS } from '../ops/data.ts';
import { unpackSigns } from '../ops/dense.ts';
import { loss as recordLoss } from '../ops/loss.ts';
import { joinSlots, laneWidth, measuresOf, slotsShape, updateBinary } from '../ops/optim.ts';
import { binarizeGrad } from '../ops/quantize.ts';
import {
  learnedGradient,
  type Plane,
  quantizeRows,
  type RowContext,
  rowGradient,
  statisticsFor,
} from '../ops/rows.ts';
import type { Loss } from './loss.ts';
import { assertKnownMembers } from './members.ts';
import type { Method } from './method.ts';
import { isMethod } from './note.ts';
import type { Optimizer } from './optimizer.ts';
import { sgd } from './optimizers/sgd.ts';
import type { Penalty } from './penalty.ts';
import type { Quantizer } from './quantizer.ts';
import { quantizedRow, type RowRule, type RuleMoment, statisticsOf } from './row.ts';
import type { StepTime } from './schedules.ts';

/** What was compared, and how far apart the worst pair was. */
export interface MethodCheck {
  /** Name of the method. */
  readonly method: string;
  /** Numbers that were compared. */
  readonly compared: number;
  /** The largest difference of WGSL and twin, relative to the larger of 1 and the twin's number. */
  readonly worst: number;
}

/** Differences that f32 explains. */
const TOLERANCE = 1e-3;
const SAMPLES = 1024;

/**
 * Runs a method's WGSL on random numbers and compares it with its twin; where the method says of what its gradient is the
 * derivative, that too.
 * @throws OptionError for a method that disagrees with itself, with the numbers, and for members of its definition that mean
 *   nothing; GpuValidationError for WGSL that does not
 *   compile, with its own line
 */
export async function checkMethod(
  gpu: Gpu,
  method: Quantizer | Optimizer | Penalty | Loss,
): Promise<MethodCheck> {
  if (isMethod(method)) assertKnownMembers(method);
  const scratch = new Bench(gpu, method);
  try {
    switch (method.kind) {
      case 'quantizer':
        return await checkQuantizer(scratch, method);
      case 'optimizer':
        return await checkOptimizer(scratch, method);
      case 'penalty':
        return await checkPenalty(scratch, method);
      case 'loss':
        return await checkLoss(scratch, method);
      default:
        throw new OptionError('This is no method that can be checked.', {
          given: String((method as Method | undefined)?.kind),
          expected: 'a quantizer, an optimizer, a penalty or a loss',
          where: 'checkMethod',
        });
    }
  } finally {
    scratch.dispose();
  }
}

/** Numbers from −spread to spread that a sequence without a pattern gives. */
function numbers(count: number, spread: number, offset: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(
    { length: count },
    (_, i) => spread * (2 * (((i + offset) * 0.6180339887498949 + (i * i * 0.7548776662) / count) % 1) - 1),
  );
}

/** Tensors that are freed together, one program, and comparisons. */
class Bench {
  readonly #gpu: Gpu;
  readonly #tensors: Tensor[] = [];
  readonly #method: Method;
  #compared = 0;
  #worst = 0;

  constructor(gpu: Gpu, method: Method) {
    this.#gpu = gpu;
    this.#method = method;
  }

  tensor(label: string, shape: Shape, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Tensor {
    const tensor = this.#gpu.tensor(label, shape, data instanceof Float32Array ? 'f32' : 'u32', data);
    this.#tensors.push(tensor);
    return tensor;
  }

  packed(shape: Shape, words?: Uint32Array<ArrayBuffer>): Tensor {
    const tensor = this.#gpu.tensor('signs', shape, 'bits', words);
    this.#tensors.push(tensor);
    return tensor;
  }

  /** Runs what is recorded, once. @param result a tensor that is read, or made by it */
  async run(record: (b: ProgramBuilder) => Tensor): Promise<Float32Array<ArrayBuffer>> {
    const b = new ProgramBuilder(this.#gpu, `check of ${this.#method.name}`);
    const result = record(b);
    if (!result.isPlaced) b.keep(result);
    const program = await b.compile();
    try {
      await this.#gpu.scoped(this.#method.name, () => program.run());
      return await this.#gpu.readFloats(result);
    } finally {
      program.dispose();
    }
  }

  read(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    return this.#gpu.readFloats(tensor);
  }

  /** @throws OptionError where two numbers differ by more than f32 explains */
  same(
    what: string,
    found: ArrayLike<number>,
    expected: (index: number) => number,
    tolerance = TOLERANCE,
  ): void {
    for (let i = 0; i < found.length; i++) {
      const [mine, twins] = [found[i] ?? Number.NaN, expected(i)];
      const distance = Math.abs(mine - twins) / Math.max(1, Math.abs(twins));
      this.#compared += 1;
      if (distance <= tolerance) {
        this.#worst = Math.max(this.#worst, distance);
        continue;
      }
      throw new OptionError('A method disagrees with itself.', {
        given: `${mine} from its WGSL`,
        expected: `${twins} from its float64 twin`,
        where: `${this.#method.kind} ${this.#method.name}: ${what}, sample ${i}`,
        remedy: 'correct one of them; kinks are harmless only where both fall on the same side',
      });
    }
  }

  get result(): MethodCheck {
    return { method: this.#method.name, compared: this.#compared, worst: this.#worst };
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }
}

/** The slope of a smooth function; undefined where it has a kink nearby. */
function slopeOf(f: (x: number) => number, x: number): number | undefined {
  const step = 1e-5;
  const [left, right] = [(f(x) - f(x - step)) / step, (f(x + step) - f(x)) / step];
  return Math.abs(left - right) > 1e-3 * Math.max(1, Math.abs(left)) ? undefined : (left + right) / 2;
}

/** A step of a training, for what changes from step to step. */
const MOMENT: StepTime = { step: 2, steps: 10, epochSteps: 10 };

/** What the kernels of a quantizer read that changes from step to step. */
function numbersOf(bench: Bench, { scalars, scalarsAt }: Quantizer): Pick<RowContext, 'table' | 'state'> {
  if (scalars.length === 0) return {};
  return {
    table: bench.tensor('numbers', [1, scalars.length], new Float32Array(scalarsAt(MOMENT))),
    state: bench.tensor('state', [STATE_WORDS], encodeTrainState({ step: MOMENT.step })),
  };
}

async function checkQuantizer(bench: Bench, quantizer: Quantizer): Promise<MethodCheck> {
  const [x, g] = [numbers(SAMPLES, 2, 1), numbers(SAMPLES, 1, 5)];
  const twin = quantizer.at(MOMENT);
  const found = await bench.run((b) => {
    const [gradient, values] = [bench.tensor('g', [SAMPLES], g), bench.tensor('x', [SAMPLES], x)];
    // By the formula, also where a window would do.
    if (quantizer.scalars.length === 0) {
      return binarizeGrad(b, gradient, { quantizer: { ...quantizer, window: undefined }, x: values });
    }
    const { passing } = quantizer;
    const plain = { x: values, statistics: undefined, rule: undefined, passing };
    return rowGradient(b, gradient, { ...plain, ...numbersOf(bench, quantizer) });
  });
  const slopes = x.map((value) => twin.gradient(value));
  bench.same('gradient', found, (i) => (g[i] ?? 0) * (slopes[i] ?? 0));
  const { window } = quantizer;
  if (window !== undefined) {
    bench.same('gradient inside and outside of its window', slopes, (i) =>
      Math.abs(x[i] ?? 0) <= window ? 1 : 0,
    );
  }
  if (quantizer.definition.surrogate !== undefined) {
    bench.same('gradient and the slope of its surrogate', slopes, (i) => {
      const slope = slopeOf((at) => twin.surrogate(at) ?? Number.NaN, x[i] ?? 0);
      return slope ?? slopes[i] ?? 0;
    });
  }
  const { row, definition } = quantizer;
  if (row === undefined) return bench.result;
  for (const [rows, length] of [
    [5, 99],
    [3, 8],
  ] as const) {
    await checkRows(bench, quantizer, row, { rows, length, channels: 'first' });
    if (definition.learned !== undefined) {
      await checkRows(bench, quantizer, row, { rows, length, channels: 'last' });
    }
  }
  return bench.result;
}

/** Rows for a rule: many values and few, with another mean and spread each; channels as weights or activations have them. */
async function checkRows(
  bench: Bench,
  quantizer: Quantizer,
  rule: RowRule,
  { rows, length, channels }: { rows: number; length: number; channels: 'first' | 'last' },
): Promise<void> {
  const size = rows * length;
  const rowOf = (i: number) => Math.floor(i / length);
  const x = numbers(size, 1, 3).map((value, i) => value * (0.2 + 0.3 * rowOf(i)) + 0.05 * rowOf(i));
  const g = numbers(size, 1, 7);
  const { learned } = quantizer.definition;
  const names = Object.keys(learned?.numbers ?? {});
  const groups = learned?.per !== 'channel' ? 1 : channels === 'first' ? rows : length;
  const groupOf = (i: number) => (groups === 1 ? 0 : channels === 'first' ? rowOf(i) : i % length);
  const starts = Object.values(learned?.numbers ?? {}).map(({ start }) => start);
  const owned = new Float32Array(groups * names.length).map(
    (_, i) => (starts[i % names.length] ?? 0) + 0.04 * ((i * 7) % 5),
  );
  const ownOf = (i: number, changed = owned): Partial<RuleMoment> => ({
    learned: Object.fromEntries(
      names.map((name, field) => [name, changed[groupOf(i) * names.length + field] ?? 0]),
    ),
  });
  const xOf = (row: number) => x.subarray(row * length, (row + 1) * length);
  const statistics = Array.from({ length: rows }, (_, row) => statisticsOf(xOf(row)));
  const ofRow = (i: number) => statistics[rowOf(i)] ?? statisticsOf([0]);
  const twins = statistics.map((_, row) => quantizedRow(rule, xOf(row), (i) => ownOf(row * length + i)));
  const what = `of ${rows} rows of ${length} values${channels === 'last' ? ', learned by channel' : ''}`;
  const context = (): RowContext => ({
    channels,
    learned: names.length === 0 ? undefined : bench.tensor('learned', [groups, names.length], owned),
  });

  for (let plane = 0; plane < rule.planes; plane++) {
    const title = (member: string) => `row.${member} ${what}${rule.planes > 1 ? `, plane ${plane}` : ''}`;
    const made = (member: (made: Plane, b: ProgramBuilder) => Tensor) =>
      bench.run((b) => {
        const planes = quantizeRows(b, bench.tensor('x', [rows, length], x), rule, context());
        return member(planes[plane] as Plane, b);
      });
    for (const member of ['scale', 'offset'] as const) {
      if (!(member === 'scale' ? rule.hasScale : rule.hasOffset) || (channels === 'last' && groups > 1))
        continue;
      const found = await made((one) => one[member] as Tensor);
      bench.same(title(member), found, (row) => twins[row]?.planes[plane]?.[member] ?? Number.NaN);
      for (const value of found) {
        if (member === 'offset' || value >= 0) continue;
        throw new OptionError('The scale of a row is below 0.', {
          given: String(value),
          expected: '0 or more: a sign is the sign of the weight that is made of it',
          where: `quantizer ${quantizer.name}: row.scale`,
        });
      }
    }
    const signs = await made(({ bits }, b) => unpackSigns(b, bits));
    // At 0 itself, rounding may decide.
    bench.same(title('argument: its signs'), signs, (i) => {
      const { taken, signs: own } = twins[rowOf(i)]?.planes[plane] ?? {};
      return Math.abs(taken?.[i % length] ?? 0) < 1e-5 ? (signs[i] ?? 0) : (own?.[i % length] ?? Number.NaN);
    });
  }

  const argumentOf = (i: number, at = x[i] ?? 0, changed = owned) =>
    rule.argument(at, ofRow(i), ownOf(i, changed));
  const slopeAt = (i: number) => rule.slope(x[i] ?? 0, ofRow(i), ownOf(i));
  if (!rule.isStraight) {
    bench.same(
      `row.slope ${what} and the slope of row.argument`,
      Float64Array.from(x, (_, i) => slopeAt(i)),
      (i) => slopeOf((at) => argumentOf(i, at), x[i] ?? 0) ?? slopeAt(i),
    );
  }
  const twin = quantizer.at(MOMENT);
  const passedAt = (i: number) => twin.gradient(rule.isStraight ? (x[i] ?? 0) : argumentOf(i));
  const gradients = async (of: typeof rowGradient) =>
    bench.run((b) => {
      const values = bench.tensor('x', [rows, length], x);
      return of(b, bench.tensor('g', [rows, length], g), {
        ...{ x: values, rule, passing: quantizer.passing, statistics: statisticsFor(b, values, rule) },
        ...context(),
        ...numbersOf(bench, quantizer),
      });
    });
  const signAt = (i: number) => (argumentOf(i) < 0 ? -1 : 1);
  const { through } = quantizer.definition.row ?? {};
  /** What all values of a row hand to its statistics: the mean, the mean magnitude, the deviation. */
  const handed = statistics.map((of, row) => {
    const sums = [0, 0, 0];
    for (let i = row * length; through && i < (row + 1) * length; i++) {
      const at = { x: x[i] ?? 0, sign: signAt(i), passed: passedAt(i) };
      const values = { ...quantizer.parameters, plane: 0, chance: 0.5, learned: {} };
      for (const [k, slope] of through.twin(at, of, values as never).entries())
        sums[k] = (sums[k] ?? 0) + slope * (g[i] ?? 0);
    }
    return sums;
  });
  const gradientAt = (i: number) => {
    const whole = rule.isStraight ? 1 : rule.scale(ofRow(i), ownOf(i)) * slopeAt(i);
    const [ofMean = 0, ofMagnitude = 0, ofSd = 0] = handed[rowOf(i)] ?? [];
    const { mean, sd } = ofRow(i);
    const value = x[i] ?? 0;
    const passedOn = ofMean + ofMagnitude * Math.sign(value) + (ofSd * (value - mean)) / Math.max(sd, 1e-20);
    return (g[i] ?? 0) * passedAt(i) * whole + passedOn / length;
  };
  bench.same(`gradient of values ${what}`, await gradients(rowGradient), gradientAt);
  if (through) {
    // The row as it is, but for signs, which have the slope of what stands in for them.
    const taken = Float64Array.from(x, (_, i) => argumentOf(i));
    const rowLoss = (changed: number, at: number) => {
      const first = rowOf(changed) * length;
      const row = Float64Array.from(xOf(rowOf(changed)));
      row[changed - first] = at;
      const of = statisticsOf(row);
      return row.reduce((sum, value, j) => {
        const i = first + j;
        const made = signAt(i) + passedAt(i) * (rule.argument(value, of) - (taken[i] ?? 0));
        return sum + (g[i] ?? 0) * (rule.scale(of) * made + rule.offset(of));
      }, 0);
    };
    bench.same(
      `gradient of values ${what} and central differences`,
      Float64Array.from(x, (_, i) => gradientAt(i)),
      (i) => slopeOf((at) => rowLoss(i, at), x[i] ?? 0) ?? gradientAt(i),
      1e-4,
    );
  }
  if (names.length === 0) return;

  const learning = Array.from(x, (value, i) =>
    rule.learning({ x: value, sign: signAt(i), passed: passedAt(i) }, ofRow(i), ownOf(i)),
  );
  for (const [field, name] of names.entries()) {
    // The value as it is, but for the sign, which has the slope of what stands in for it.
    const valueAt = (i: number, changed: Float32Array<ArrayBuffer>) => {
      const moment = ownOf(i, changed);
      const moved = rule.isStraight
        ? 0
        : passedAt(i) * (rule.argument(x[i] ?? 0, ofRow(i), moment) - argumentOf(i));
      return rule.scale(ofRow(i), moment) * (signAt(i) + moved) + rule.offset(ofRow(i), moment);
    };
    bench.same(
      `row.learning of ${name} ${what} and central differences`,
      learning.map((own) => own[field] ?? Number.NaN),
      (i) => {
        const at = groupOf(i) * names.length + field;
        const near = (step: number) => {
          const changed = Float64Array.from(owned);
          changed[at] = (changed[at] ?? 0) + step;
          return valueAt(i, changed as unknown as Float32Array<ArrayBuffer>);
        };
        return (near(1e-5) - near(-1e-5)) / 2e-5;
      },
      1e-4,
    );
  }
  const found = await gradients((b, grad, options) =>
    learnedGradient(b, grad, options as typeof options & { learned: Tensor }),
  );
  bench.same(`gradient of what is learned ${what}`, found, (at) => {
    const [group, field] = [Math.floor(at / names.length), at % names.length];
    return learning.reduce(
      (sum, own, i) => (groupOf(i) === group ? sum + (g[i] ?? 0) * (own[field] ?? 0) : sum),
      0,
    );
  });
}

/** One update of weights [rows, channels] with a rate of 0.1, two steps after the start. */
async function update(
  bench: Bench,
  channels: number,
  optimizer: Optimizer,
  penalty?: Penalty,
): Promise<{
  w: Float32Array;
  g: Float32Array;
  slots: Float32Array[];
  scalars: readonly number[];
  found: Float32Array;
  /** What was measured before. */
  measured: number;
  /** What was measured in this step; undefined of an optimizer that measures nothing. */
  measures: Float32Array | undefined;
}> {
  const rows = 8;
  const size = rows * channels;
  const start = numbers(size, 1, 3);
  const w = optimizer.definition.signsOnly === true ? start.map((x) => (x < 0 ? -1 : 1)) : start;
  const g = numbers(size, 1, 11);
  const { slots: names } = optimizer.update;
  const slots = names.map((_, i) => numbers(size, 1, 17 * (i + 1)).map(Math.abs));
  const scalars = optimizer.scalarsAt({ step: 2, steps: 10, epochSteps: 10, rate: 0.1 });
  const latent = bench.tensor('latent', [rows, channels], w);
  const measured = optimizer.update.measure === undefined ? 0 : 0.625;
  const count = measuresOf(size, channels);
  const measures =
    optimizer.update.measure &&
    bench.tensor('measures', [count], new Float32Array(count).fill(measured, 0, 1).fill(1, 1));
  const found = await bench.run((b) => {
    updateBinary(b, {
      measures,
      update: optimizer.update,
      grad: bench.tensor('g', [rows, channels], g),
      latent,
      packed: bench.packed([rows, channels]),
      slots:
        names.length === 0
          ? undefined
          : bench.tensor('slots', slotsShape(size, channels, names.length), joinSlots(slots, channels)),
      table: bench.tensor('table', [1, scalars.length], new Float32Array(scalars)),
      flips: bench.tensor('flips', [rows], new Uint32Array(rows)),
      state: bench.tensor('state', [STATE_WORDS], encodeTrainState({})),
      penalty: penalty?.filling,
      clipLatent: false,
    });
    return latent;
  });
  return {
    ...{ w, g, slots, scalars, found, measured },
    measures: measures && (await bench.read(measures)),
  };
}

/**
 * What an optimizer draws for a weight in a step: a multiple of 2^-24 in [0, 1).
 * @param index of the weight @param rowLength as of `slotsShape`
 */
export function chanceOf(
  index: number,
  rowLength: number,
  { seed = 0, stream = 0, step = 0 }: { seed?: number; stream?: number; step?: number },
): number {
  const width = laneWidth(rowLength);
  return toUniform(pcg4d(seed, stream, Math.floor(index / width), step)[index % width] ?? 0);
}

async function checkOptimizer(bench: Bench, optimizer: Optimizer): Promise<MethodCheck> {
  const { update: rule, definition } = optimizer;
  // Lanes of one and of four.
  for (const channels of [33, 64]) {
    const { w, g, slots, scalars, found, measured, measures } = await update(bench, channels, optimizer);
    const numbersNow = Object.fromEntries(rule.scalars.map((name, column) => [name, scalars[column] ?? 0]));
    const steps = Array.from(w, (was, i) => {
      const kept = Object.fromEntries(rule.slots.map((name, slot) => [name, slots[slot]?.[i] ?? 0]));
      const step = {
        ...{ w: was, g: g[i] ?? 0, slots: kept, scalars: numbersNow, stepScale: 1, measured },
        chance: chanceOf(i, channels, {}),
      };
      const now = definition.twin(step, optimizer.parameters as never);
      return { was, now, g: step.g, slots: kept, measured };
    });
    bench.same(`update of rows of ${channels}`, found, (i) => steps[i]?.now ?? Number.NaN);
    if (measures === undefined) continue;
    const twins = steps.map((step) => definition.measure?.twin(step, optimizer.parameters as never) ?? 0);
    const mean = twins.reduce((sum, value) => sum + value, 0) / twins.length;
    bench.same(`measure of rows of ${channels}`, measures.subarray(0, 1), () => mean);
  }
  return bench.result;
}

async function checkPenalty(bench: Bench, penalty: Penalty): Promise<MethodCheck> {
  // Plain descent makes the gradient visible: w - 0.1 g.
  const { w, g, found } = await update(bench, 64, { ...sgd({ momentum: 0 }) }, penalty);
  const edited = (i: number) => penalty.twin(w[i] ?? 0, g[i] ?? 0);
  bench.same('gradient', found, (i) => (w[i] ?? 0) - 0.1 * edited(i));
  if (penalty.definition.value !== undefined) {
    const added = Array.from(w, (value) => penalty.twin(value, 0));
    bench.same('gradient and the slope of its value', added, (i) => {
      const slope = slopeOf((at) => penalty.value(at) ?? Number.NaN, w[i] ?? 0);
      return slope ?? added[i] ?? 0;
    });
  }
  return bench.result;
}

async function checkLoss(bench: Bench, loss: Loss): Promise<MethodCheck> {
  const rows = 16;
  const { outputs = 7, classes = outputs } = loss.definition.madeFor ?? {};
  const logits = numbers(rows * outputs, 2, 2);
  const teacher = numbers(rows * outputs, 2, 9);
  const rowOf = (values: ArrayLike<number>, row: number) =>
    Array.from({ length: outputs }, (_, c) => values[row * outputs + c] ?? 0);
  for (const kind of loss.targets) {
    const labels = Uint32Array.from({ length: rows }, (_, row) => (row * 3) % classes);
    const magnitudes = numbers(rows * outputs, 1, 23).map(Math.abs);
    const reals = kind === 'bits' ? magnitudes.map((value) => (value > 0.5 ? 1 : 0)) : magnitudes;
    const words = Uint32Array.from({ length: rows }, (_, row) =>
      rowOf(reals, row).reduce((word, value, c) => word | (value << c), 0),
    );
    const found = await bench.run((b) =>
      recordLoss(b, {
        loss,
        logits: bench.tensor('logits', [rows, outputs], logits),
        targets: {
          classes: () => bench.tensor('labels', [rows], labels),
          reals: () => bench.tensor('reals', [rows, outputs], reals),
          bits: () => bench.packed([rows, outputs + 1], words),
        }[kind](),
        teacher: loss.teacher ? bench.tensor('teacher', [rows, outputs], teacher) : undefined,
        state: bench.tensor('state', [STATE_WORDS], encodeTrainState({})),
        metrics: bench.tensor('metrics', [1, 4], new Float32Array(4)),
      }),
    );
    for (let row = 0; row < rows; row++) {
      const wanted =
        kind === 'classes'
          ? rowOf(logits, row).map((_, c) => (c === labels[row] ? 1 : 0))
          : rowOf(reals, row);
      const own = {
        outputs: rowOf(logits, row),
        wanted,
        taught: loss.teacher ? rowOf(teacher, row) : wanted,
      };
      const { gradient } = loss.twin(own);
      const here = found.subarray(row * outputs, (row + 1) * outputs).map((value) => value * rows);
      bench.same(`gradient of ${kind}, row ${row}`, here, (c) => gradient[c] ?? Number.NaN);
      bench.same(`gradient and the slope of the twin, row ${row}`, gradient, (c) => {
        const at = (x: number) => loss.twin({ ...own, outputs: own.outputs.with(c, x) }).loss;
        return slopeOf(at, own.outputs[c] ?? 0) ?? gradient[c] ?? Number.NaN;
      });
    }
  }
  return bench.result;
}
