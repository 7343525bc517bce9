/** Rules of arithmetic: with constants it stays pending, between two values it is a layer. */
import { sizeOf } from '../../gpu/index.ts';
import {
  add,
  divide,
  type Layer,
  leakyRelu,
  maximum,
  minimum,
  multiply,
  prelu,
  relu,
  selu,
  sigmoid,
  softmax,
  subtract,
  tanh,
} from '../../layers/index.ts';
import { broadcastShape } from '../../numerics/axes.ts';
import { LARGEST_F32 } from '../../ops/pointwise.ts';
import type { OnnxNode } from './container.ts';
import type { Importer, Rule } from './importer.ts';
import {
  type Activation,
  activation,
  axisOf,
  broadcast,
  type Constant,
  compose,
  constantOf,
  numberOf,
  refused,
  scalarOf,
  type Value,
} from './values.ts';

interface Arithmetic {
  /** Of two constants. */
  of(x: number, y: number): number;
  /** Of a value and a constant, as a scale and a shift; undefined where it is none. */
  pend(constant: number, isFirst: boolean): readonly [scale: number, shift: number] | undefined;
  /** Of two values. */
  join(importer: Importer, node: OnnxNode, a: Activation, b: Activation): Activation;
}

function arithmetic({ of, pend, join }: Arithmetic): Rule {
  return (importer, node, [a, given]) => {
    const b = alignedBefore7(importer, node, a, given);
    if (a?.kind === 'constant' && b?.kind === 'constant') return broadcast(node, a, b, of);
    if (a?.kind === 'activation' && b?.kind === 'activation') {
      return join(
        importer,
        node,
        ...alike(importer, node, importer.activation(node, a), importer.activation(node, b)),
      );
    }
    const isFirst = a?.kind === 'constant';
    const constant = constantOf(node, isFirst ? a : b);
    return importer.stepped(node, importer.activation(node, isFirst ? b : a), constant, (number) => {
      const step = pend(number, isFirst);
      if (step === undefined) throw refused(node, 'it divides by the network');
      return step;
    });
  };
}

/** Before version 7, `axis` said where the axes of the second input begin; the others have extent 1. */
function alignedBefore7(
  importer: Importer,
  node: OnnxNode,
  a: Value | undefined,
  b: Value | undefined,
): Value | undefined {
  const axis = numberOf(node, 'axis', -1);
  if (importer.opset >= 7 || axis < 0 || a === undefined || b?.kind !== 'constant') return b;
  const after = a.dims.length - axis - b.dims.length;
  if (after < 0) throw refused(node, `[${b.dims.join(', ')}] doesn't begin at axis ${axis}`);
  return { ...b, dims: [...b.dims, ...new Array<number>(after).fill(1)] };
}

/** Two values whose nodes have axes that mean the same. */
function alike(
  importer: Importer,
  node: OnnxNode,
  a: Activation,
  b: Activation,
): readonly [Activation, Activation] {
  const [x, y] = [importer.ordered(node, a), importer.ordered(node, b)];
  if (x.dims.length !== y.dims.length) throw refused(node, 'its values have different numbers of axes');
  const isSame = x.axes.join() === y.axes.join() && x.shape.length === y.shape.length;
  if (isSame) return [x, y];
  const whole = x.axes.length === x.shape.length && !x.axes.includes(-1) ? x : y;
  if (whole.axes.length === whole.shape.length && !whole.axes.includes(-1)) {
    const wanted = whole.shape.map((_, place) => whole.axes.indexOf(place) + 1);
    return [importer.arranged(node, x, wanted), importer.arranged(node, y, wanted)];
  }
  const wanted = x.axes.map((_, index) => index + 1);
  return [importer.arranged(node, x, wanted), importer.arranged(node, y, wanted)];
}

/** A layer on two values. */
function joined(
  importer: Importer,
  node: OnnxNode,
  make: (name: string) => Layer,
  [a, b]: readonly [Activation, Activation],
  values: Activation['values'],
): Activation {
  const dims = broadcastShape(a.dims, b.dims);
  const shape = broadcastShape(a.shape, b.shape);
  if (dims === undefined || shape === undefined) {
    throw refused(node, `[${a.dims.join(', ')}] and [${b.dims.join(', ')}] don't fit`);
  }
  const made = importer.layer(node.name, make, [a.node, b.node]);
  return activation(made, dims, a.axes, shape, values);
}

const isWhole = ({ values }: Activation) => values !== 'reals';
const same = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length && Array.from(a).every((own, channel) => own === b[channel]);

/** a + sign·b. Integers on the same scale stay integers. */
function summed(make: (name: string) => Layer, sign: 1 | -1): Arithmetic['join'] {
  return (importer, node, a, b) => {
    if (same(a.scale, b.scale) && a.dims.join() === b.dims.join()) {
      const values = isWhole(a) && isWhole(b) ? 'integers' : 'reals';
      const sum = joined(importer, node, make, [a, b], values);
      const shift = a.shift.map((own, channel) => own + sign * (b.shift[channel] ?? 0));
      return { ...sum, scale: a.scale, shift };
    }
    return joined(importer, node, make, [importer.scaled(node, a), importer.scaled(node, b)], 'reals');
  };
}

/** a·b: scales multiply, shifts have to be made real. */
const product: Arithmetic['join'] = (importer, node, a, b) => {
  const isScaled =
    [a, b].every(({ shift }) => shift.every((own) => own === 0)) && a.dims.join() === b.dims.join();
  if (!isScaled) {
    return joined(
      importer,
      node,
      (name) => multiply({ name }),
      [importer.scaled(node, a), importer.scaled(node, b)],
      'reals',
    );
  }
  const signs = a.values === 'signs' || b.values === 'signs';
  const values = signs && isWhole(a) && isWhole(b) ? 'integers' : 'reals';
  const made = joined(importer, node, (name) => multiply({ name }), [a, b], values);
  return { ...made, scale: a.scale.map((own, channel) => own * (b.scale[channel] ?? 1)) };
};

/** A layer that positive scales pass through, where no shift is pending. */
function scaleFree(
  importer: Importer,
  node: OnnxNode,
  given: Activation,
  make: (value: Activation) => Activation,
): Activation {
  const passes = given.scale.every((scale) => scale > 0) && given.shift.every((shift) => shift === 0);
  const value = passes ? given : importer.scaled(node, given);
  return { ...make(value), scale: value.scale, shift: value.shift };
}

const clip: Rule = (importer, node, [x, low, high]) => {
  const bound = (value: Value | undefined, name: string, absent: number) =>
    value === undefined ? numberOf(node, name, absent) : scalarOf(node, value);
  const least = Math.max(-LARGEST_F32, bound(low, 'min', -LARGEST_F32));
  const most = Math.min(LARGEST_F32, bound(high, 'max', LARGEST_F32));
  if (!(least <= most)) throw refused(node, `from ${least} to ${most}`);
  const value = importer.scaled(node, importer.activation(node, x));
  const bounds = { minimum: least, ...(most === LARGEST_F32 ? {} : { maximum: most }) };
  return importer.alike(node, (name) => relu({ name, ...bounds }), value, 'reals');
};

const slopes: Rule = (importer, node, [x, slope]) => {
  const given = importer.activation(node, x);
  const { dims, ...rest } = constantOf(node, slope);
  // Before version 7, a list was one number a channel.
  const isList = importer.opset < 7 && dims.length === 1 && given.dims.length > 2;
  const aligned = isList ? [...dims, ...new Array<number>(given.dims.length - 2).fill(1)] : dims;
  const { value, row } = importer.byChannel(node, given, { ...rest, dims: aligned });
  const parameters = { alpha: Float32Array.from(row) };
  return scaleFree(importer, node, value, (plain) =>
    importer.alike(node, (name) => prelu({ name }), plain, 'reals', parameters),
  );
};

/** A function of single values that takes no scale along. */
function curve(make: (name: string, node: OnnxNode) => Layer): Rule {
  return (importer, node, [x]) => {
    const value = importer.scaled(node, importer.activation(node, x));
    return importer.alike(node, (name) => make(name, node), value, 'reals');
  };
}

const leaky: Rule = (importer, node, [x]) => {
  const alpha = numberOf(node, 'alpha', 0.01);
  return scaleFree(importer, node, importer.activation(node, x), (value) =>
    importer.alike(node, (name) => leakyRelu({ name, alpha }), value, 'reals'),
  );
};

/** Of the paper, and as the operator's first version rounded them. */
const SELU = { alpha: 1.67326, gamma: 1.0507 };

const scaledExponential = curve((name, node) => {
  for (const [key, usual] of Object.entries(SELU)) {
    const given = numberOf(node, key, usual);
    if (Math.abs(given - usual) > 1e-4) throw refused(node, `${key} is ${given}, not ${usual}`);
  }
  return selu({ name });
});

const negation: Rule = (importer, node, [x]) => {
  if (x?.kind === 'constant') return { ...x, step: undefined, data: x.data.map((value) => -value + 0) };
  importer.folded.push(node.name);
  return compose(importer.activation(node, x), () => [-1, 0]);
};

/** Of any number of inputs, two after two. */
function inTurn(rule: Rule): Rule {
  return (importer, node, inputs) => {
    const [first, ...others] = inputs;
    if (first === undefined) throw refused(node, 'its input is missing');
    return others.reduce<Value>((sum, other) => rule(importer, node, [sum, other]), first);
  };
}

/** The lesser or the greater of two values, or of a value and one number. */
function extremum(isMaximum: boolean): Rule {
  const pick = isMaximum ? Math.max : Math.min;
  const join = (name: string) => (isMaximum ? maximum({ name }) : minimum({ name }));
  return inTurn((importer, node, [a, b]) => {
    if (a?.kind === 'constant' && b?.kind === 'constant') return broadcast(node, a, b, pick);
    if (a?.kind === 'activation' && b?.kind === 'activation') {
      const pair = alike(
        importer,
        node,
        importer.scaled(node, importer.activation(node, a)),
        importer.scaled(node, importer.activation(node, b)),
      );
      return joined(importer, node, join, pair, 'reals');
    }
    const isFirst = a?.kind === 'constant';
    const bound = scalarOf(node, isFirst ? a : b);
    const bounds = isMaximum ? { minimum: bound } : { minimum: -LARGEST_F32, maximum: bound };
    if (!Number.isFinite(bound)) throw refused(node, `its bound is ${bound}`);
    const value = importer.scaled(node, importer.activation(node, isFirst ? b : a));
    return importer.alike(node, (name) => relu({ name, ...bounds }), value, 'reals');
  });
}

const power: Rule = (importer, node, [x, exponent]) => {
  if (x?.kind === 'constant') return broadcast(node, x, constantOf(node, exponent), (a, b) => a ** b);
  const times = scalarOf(node, exponent);
  if (!Number.isInteger(times) || times < 1 || times > 8) throw refused(node, `its exponent is ${times}`);
  const value = importer.scaled(node, importer.activation(node, x));
  let result = value;
  for (let count = 1; count < times; count++) {
    const made = importer.layer(node.name, (name) => multiply({ name }), [result.node, value.node]);
    result = { ...activation(made, value.dims, value.axes, value.shape, 'reals'), order: value.order };
  }
  return result;
};

const normalization: Rule = (importer, node, [x, ...parameters]) => {
  const given = importer.activation(node, x);
  const rank = given.dims.length;
  if (numberOf(node, 'training_mode', 0) !== 0) {
    throw refused(node, 'it normalises by the batch, as in training', 'export the model in evaluation mode');
  }
  if (numberOf(node, 'spatial', 1) === 0 && rank > 2) throw refused(node, 'it has a number for every pixel');
  const epsilon = numberOf(node, 'epsilon', 1e-5);
  const column = (constant: Value | undefined): Constant => {
    const { data } = constantOf(node, constant);
    return { kind: 'constant', dims: [data.length, ...new Array<number>(rank - 2).fill(1)], data };
  };
  let value = given;
  const rows = parameters.slice(0, 4).map((parameter) => {
    const found = importer.byChannel(node, value, column(parameter));
    value = found.value;
    return found.row;
  });
  const [gamma, beta, mean, variance] = rows;
  if (!gamma || !beta || !mean || !variance) throw refused(node, 'a parameter is missing');
  importer.folded.push(node.name);
  return compose(value, (channel) => {
    const scale = (gamma[channel] ?? 1) / Math.sqrt((variance[channel] ?? 1) + epsilon);
    return [scale, (beta[channel] ?? 0) - scale * (mean[channel] ?? 0)];
  });
};

const shares: Rule = (importer, node, [x]) => {
  const given = importer.activation(node, x);
  const rank = given.dims.length;
  const axis = axisOf(node, numberOf(node, 'axis', importer.opset < 13 ? 1 : -1), rank);
  if (axis < 1) throw refused(node, 'it runs over the batch');
  // Before version 13 it ran over all axes from this one on.
  if (importer.opset < 13 && sizeOf(given.dims.slice(axis + 1)) !== 1) {
    throw refused(node, `its axis is ${axis} of [${given.dims.join(', ')}]`);
  }
  const value = importer.scaled(node, importer.withLast(node, given, axis));
  return importer.alike(node, (name) => softmax({ name }), value, 'reals');
};

const sum = arithmetic({
  of: (x, y) => x + y,
  pend: (c) => [1, c],
  join: summed((name) => add({ name }), 1),
});

export const ARITHMETIC_RULES: Readonly<Record<string, Rule>> = {
  Add: sum,
  Sum: inTurn(sum),
  Sub: arithmetic({
    of: (x, y) => x - y,
    pend: (c, isFirst) => (isFirst ? [-1, c] : [1, -c]),
    join: summed((name) => subtract({ name }), -1),
  }),
  Mul: arithmetic({ of: (x, y) => x * y, pend: (c) => [c, 0], join: product }),
  Div: arithmetic({
    of: (x, y) => x / y,
    pend: (c, isFirst) => (isFirst ? undefined : [1 / c, 0]),
    join: (importer, node, a, b) =>
      joined(
        importer,
        node,
        (name) => divide({ name }),
        [importer.scaled(node, a), importer.scaled(node, b)],
        'reals',
      ),
  }),
  Pow: power,
  BatchNormalization: normalization,
  Relu: (importer, node, [x]) =>
    scaleFree(importer, node, importer.activation(node, x), (value) =>
      importer.alike(node, (name) => relu({ name }), value, isWhole(value) ? 'integers' : 'reals'),
    ),
  PRelu: slopes,
  LeakyRelu: leaky,
  Selu: scaledExponential,
  Sigmoid: curve((name) => sigmoid({ name })),
  Tanh: curve((name) => tanh({ name })),
  Neg: negation,
  Min: extremum(false),
  Max: extremum(true),
  Clip: clip,
  Softmax: shares,
};
