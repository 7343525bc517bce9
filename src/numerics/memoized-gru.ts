/**
 * A gated recurrent unit that computes what its binary twin says has changed: fuzzy memoization of single neurons
 * (Silfa et al. 2019). In plain arithmetic, as a measurement: what is left out is counted.
 */
import { OptionError, ShapeError } from '../errors.ts';
import { assertPresent } from '../options.ts';
import { isThreshold, TwinMemory } from './twin-predictor.ts';

/** Weights of a GRU as Keras and TensorFlow.js have them, with `reset_after` off: the columns of update, reset and candidate. */
export interface GruWeights {
  /** Neurons. */
  readonly units: number;
  /** Of the inputs, [inputs, 3·units]. */
  readonly kernel: ArrayLike<number>;
  /** Of the state before, [units, 3·units]. */
  readonly recurrentKernel: ArrayLike<number>;
  /** [3·units]. */
  readonly bias: ArrayLike<number>;
}

/** A GRU's run over one sequence. */
export interface MemoizedRun {
  /** Its states, [steps, units]. */
  readonly states: Float64Array;
  /** Share of the real dot products that were left out, each of a gate's neuron at a step. */
  readonly share: number;
}

/**
 * Runs a GRU over a sequence: z, r = sigmoid(x·W + h·U + b), c = tanh(x·W + (r ∘ h)·U + b), h ← z ∘ h + (1 − z) ∘ c. Of every
 * neuron of a gate the real dot product of the step before stands as long as the relative change of the product of signs, added
 * up since the real one was last computed, stays below the threshold.
 * @param sequence [steps, inputs]
 * @param threshold of the changes that are added up; with 0 everything is computed
 * @throws ShapeError where sizes don't go together; OptionError for a threshold below 0
 * @example
 * ```ts
 * import { memoizedGru } from 'webgpu-bnn/compare';
 *
 * const weights = { units: 1, kernel: [0.5, -0.2, 0.7], recurrentKernel: [0.1, 0.3, -0.4], bias: [0, 0, 0] };
 * console.log(memoizedGru(weights, [0.9, 0.8, -0.7], 0.5).share);
 * ```
 */
export function memoizedGru(
  weights: GruWeights,
  sequence: ArrayLike<number>,
  threshold: number,
): MemoizedRun {
  const where = 'memoizedGru';
  assertPresent(weights, 'the weights', where);
  const { units, kernel, recurrentKernel, bias } = weights;
  for (const [name, values] of Object.entries({ kernel, recurrentKernel, bias, sequence }))
    assertPresent(values, `the ${name}`, where, 'length');
  const columns = 3 * units;
  const inputs = kernel.length / columns;
  const steps = sequence.length / inputs;
  const isWhole = [units, inputs, steps].every((count) => Number.isSafeInteger(count) && count > 0);
  if (!isWhole || recurrentKernel.length !== units * columns || bias.length !== columns) {
    throw new ShapeError('The weights of a GRU are those of its inputs and of its units, three times.', {
      given: `${units} units, ${kernel.length}, ${recurrentKernel.length} and ${bias.length} weights, a sequence of ${sequence.length}`,
      expected: '[inputs, 3·units], [units, 3·units], [3·units] and [steps, inputs]',
      where,
    });
  }
  if (!isThreshold(threshold)) {
    throw new OptionError('A threshold is 0 or more.', { given: String(threshold), where });
  }
  const states = new Float64Array(steps * units);
  const memories = Array.from({ length: columns }, () => new TwinMemory(threshold));
  const sums = new Float64Array(columns);
  let left = 0;
  /** Brings the sums of a gate up to date. @param state as the gate reads it */
  const update = (gate: number, x: ArrayLike<number>, state: Float64Array) => {
    for (let column = gate * units; column < (gate + 1) * units; column++) {
      const { real, twin } = products(x, kernel, state, recurrentKernel, column, columns);
      if (memories[column]?.stands(twin)) left += 1;
      else sums[column] = real + (bias[column] ?? 0);
    }
  };
  let state = new Float64Array(units);
  for (let step = 0; step < steps; step++) {
    const x = Float64Array.from({ length: inputs }, (_, i) => sequence[step * inputs + i] ?? 0);
    update(0, x, state);
    update(1, x, state);
    const [kept, read] = [sums.slice(0, units).map(sigmoid), sums.slice(units, 2 * units).map(sigmoid)];
    const before = state;
    update(
      2,
      x,
      before.map((value, i) => value * (read[i] ?? 0)),
    );
    state = before.map((value, i) => {
      const z = kept[i] ?? 0;
      return z * value + (1 - z) * Math.tanh(sums[2 * units + i] ?? 0);
    });
    states.set(state, step * units);
  }
  return { states, share: left / (steps * columns) };
}

/** The dot product of a neuron, and that of the signs of all that it multiplies. */
function products(
  x: ArrayLike<number>,
  kernel: ArrayLike<number>,
  state: ArrayLike<number>,
  recurrent: ArrayLike<number>,
  column: number,
  columns: number,
): { real: number; twin: number } {
  let [real, twin] = [0, 0];
  const add = (values: ArrayLike<number>, weights: ArrayLike<number>) => {
    for (let i = 0; i < values.length; i++) {
      const [value, weight] = [values[i] ?? 0, weights[i * columns + column] ?? 0];
      real += value * weight;
      twin += value < 0 === weight < 0 ? 1 : -1;
    }
  };
  add(x, kernel);
  add(state, recurrent);
  return { real, twin };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
