/** TensorFlow Lite's arithmetic and functions of single values, in float32 and in int8. */
import { sizeOf } from '../../gpu/index.ts';
import {
  add,
  divide,
  elementwiseAffine,
  type Layer,
  leakyRelu,
  maximum,
  minimum,
  multiply,
  prelu,
  sigmoid,
  softmax,
  subtract,
  tanh,
} from '../../layers/index.ts';
import type { TfliteOperator } from './container.ts';
import { type Importer, optionsOf, type Placed, type Rule, real, type Value } from './importer.ts';
import { refused, shapeText } from './refused.ts';
import { ACTIVATION, ADD, DIV, LEAKY_RELU, MUL, type OPTIONS, SOFTMAX, SUB, TENSOR_TYPE } from './schema.ts';

/** A constant operand in real units: one number a channel, or one a value of a sample. */
interface Operand {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly isPerChannel: boolean;
}

/** @throws FormatError where the constant differs from sample to sample, or would repeat the value */
function operandOf(importer: Importer, operator: TfliteOperator, position: number, value: Value): Operand {
  const { data, tensor } = importer.constant(operator, position, value.type === 'int8' ? 'int8' : 'float32');
  const shape = [importer.batch, ...value.shape];
  const own = [
    ...new Array<number>(Math.max(0, shape.length - tensor.shape.length)).fill(1),
    ...tensor.shape,
  ];
  const fits =
    own.length === shape.length && own.every((extent, axis) => extent === 1 || extent === shape[axis]);
  if (!fits || (own[0] !== 1 && importer.batch > 1)) {
    throw refused(
      operator,
      `a constant of shape ${shapeText(tensor.shape)} is neither one number a channel nor a sample of ${shapeText(value.shape)}`,
    );
  }
  const { scale, zeroPoint } =
    value.type === 'int8' ? importer.grid(operator, tensor) : { scale: 1, zeroPoint: 0 };
  const isPerChannel = own.slice(0, -1).every((extent) => extent === 1);
  const sample = isPerChannel ? value.shape.slice(-1) : value.shape;
  const numbers = new Float64Array(importer.allocate(operator, sizeOf(sample)).length);
  const extents = own.slice(own.length - sample.length);
  for (let i = 0; i < numbers.length; i++) {
    let [place, stride, rest] = [0, 1, i];
    for (let axis = sample.length - 1; axis >= 0; axis--) {
      const extent = sample[axis] ?? 1;
      if (extents[axis] !== 1) place += (rest % extent) * stride;
      stride *= extents[axis] ?? 1;
      rest = Math.floor(rest / extent);
    }
    numbers[i] = scale * ((data[place] ?? 0) - zeroPoint);
  }
  return { numbers, isPerChannel };
}

/** x·scale + shift, by channel or by value. */
function scaledBy(
  importer: Importer,
  operator: TfliteOperator,
  x: Placed,
  isPerChannel: boolean,
  scale: Float64Array<ArrayBuffer>,
  shift: Float64Array<ArrayBuffer>,
): Placed {
  if (isPerChannel) return importer.scaled(operator, x, scale, shift);
  importer.claim(operator, 2 * scale.length, 'constants larger than a file of this size may make');
  const parameters = { scale: Float32Array.from(scale), shift: Float32Array.from(shift) };
  return importer.place(operator, (name) => elementwiseAffine({ name }), x, parameters);
}

/** A value as reals: int8 ones times their scale. */
function asReals(importer: Importer, operator: TfliteOperator, value: Value): Placed {
  return value.grid === undefined ? value : importer.scaled(operator, value, value.grid.scale, 0);
}

/** The scale of an int8 output; 1 for reals. */
function outScaleOf(importer: Importer, operator: TfliteOperator): number {
  const out = importer.output(operator);
  return out.type === TENSOR_TYPE.int8 ? importer.grid(operator, out).scale : 1;
}

interface Arithmetic {
  readonly options: keyof typeof OPTIONS;
  readonly activation: number;
  /** Of x and a constant, which may stand first; undefined where that is no scale and shift. */
  readonly ofConstant: (
    constant: number,
    isFirst: boolean,
  ) => readonly [scale: number, shift: number] | undefined;
  /** The layer of two values. */
  readonly make: (options: { name: string }) => Layer;
}

/** ADD and its kin, of two values or of one and a constant. */
function arithmetic({ options, activation: slot, ofConstant, make }: Arithmetic): Rule {
  return (importer, operator) => {
    const activation = optionsOf(operator, options)?.int8(slot) ?? ACTIVATION.none;
    const outScale = outScaleOf(importer, operator);
    const constantAt = [0, 1].find((position) => importer.isConstant(operator.inputs[position] ?? -1));
    if (constantAt === undefined) {
      const [a, b] = [importer.numbers(operator, 0), importer.numbers(operator, 1)];
      // A product of integers is exact: it is scaled once.
      const isProduct = options === 'Mul';
      const both = isProduct ? [a, b] : [asReals(importer, operator, a), asReals(importer, operator, b)];
      const unit = isProduct ? (a.grid?.scale ?? 1) * (b.grid?.scale ?? 1) : 1;
      const placed = importer.place(operator, (name) => make({ name }), both);
      return importer.finish(operator, placed, { activation, scale: unit / outScale });
    }
    const value = importer.numbers(operator, 1 - constantAt);
    const { numbers, isPerChannel } = operandOf(importer, operator, constantAt, value);
    const unit = value.grid?.scale ?? 1;
    const [scale, shift] = [new Float64Array(numbers.length), new Float64Array(numbers.length)];
    for (const [i, constant] of numbers.entries()) {
      const step = ofConstant(constant, constantAt === 0);
      if (step === undefined) throw refused(operator, 'a constant divided by what is computed');
      scale[i] = (step[0] * unit) / outScale;
      shift[i] = step[1] / outScale;
    }
    if (value.type === 'int8' && isPerChannel) {
      return importer.finish(operator, value, { activation, scale, shift });
    }
    const placed = scaledBy(importer, operator, value, isPerChannel, scale, shift);
    return importer.finish(operator, placed, { activation });
  };
}

/** MINIMUM and MAXIMUM. One constant for all values is a bound; others come to x less them, bounded by 0. */
function extreme(kind: 'minimum' | 'maximum'): Rule {
  return (importer, operator) => {
    const outScale = outScaleOf(importer, operator);
    const constantAt = [0, 1].find((position) => importer.isConstant(operator.inputs[position] ?? -1));
    if (constantAt === undefined) {
      const both = [0, 1].map((position) =>
        asReals(importer, operator, importer.numbers(operator, position)),
      );
      const make = kind === 'minimum' ? minimum : maximum;
      const placed = importer.place(operator, (name) => make({ name }), both);
      return importer.finish(operator, placed, { scale: 1 / outScale });
    }
    const value = importer.numbers(operator, 1 - constantAt);
    const { numbers, isPerChannel } = operandOf(importer, operator, constantAt, value);
    const x = asReals(importer, operator, value);
    const [bound = 0] = numbers;
    if (numbers.every((constant) => constant === bound)) {
      const [low, high] = kind === 'minimum' ? [-Infinity, bound] : [bound, Infinity];
      return importer.finish(operator, importer.clipped(operator, x, low, high), { scale: 1 / outScale });
    }
    const side = numbers.map(() => (kind === 'minimum' ? -1 : 1));
    const less = scaledBy(
      importer,
      operator,
      x,
      isPerChannel,
      side,
      numbers.map((c, i) => -c * (side[i] ?? 1)),
    );
    const beyond = importer.clipped(operator, less, 0, Infinity);
    const placed = scaledBy(importer, operator, beyond, isPerChannel, side, numbers);
    return importer.finish(operator, placed, { scale: 1 / outScale });
  };
}

/** A function of single reals. */
function curve(make: (operator: TfliteOperator, name: string) => Layer): Rule {
  return (importer, operator) => {
    const value = importer.numbers(operator);
    const placed = importer.alike(
      operator,
      (name) => make(operator, name),
      asReals(importer, operator, value),
    );
    return importer.finish(operator, placed, { scale: 1 / outScaleOf(importer, operator) });
  };
}

function rectifier(activation: number): Rule {
  return (importer, operator) => {
    const value = importer.numbers(operator);
    const scale = (value.grid?.scale ?? 1) / outScaleOf(importer, operator);
    return importer.finish(operator, value, { activation, scale });
  };
}

/** A slope for each value, as Keras' PReLU has it: what is positive, and what is negative times its slope. */
function slopesOfValues(
  importer: Importer,
  operator: TfliteOperator,
  x: Placed,
  slopes: Float64Array<ArrayBuffer>,
): Placed {
  const positive = importer.clipped(operator, x, 0, Infinity);
  const negative = importer.clipped(operator, x, -Infinity, 0);
  const sloped = scaledBy(importer, operator, negative, false, slopes, new Float64Array(slopes.length));
  return importer.place(operator, (name) => add({ name }), [positive, sloped]);
}

const preluRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const { numbers, isPerChannel } = operandOf(importer, operator, 1, value);
  const placed = isPerChannel
    ? importer.alike(operator, (name) => prelu({ name }), value, { alpha: Float32Array.from(numbers) })
    : slopesOfValues(importer, operator, value, numbers);
  if (value.grid === undefined) return real(placed);
  return importer.finish(operator, placed, { scale: value.grid.scale / outScaleOf(importer, operator) });
};

const softmaxRule: Rule = (importer, operator) => {
  const value = importer.numbers(operator);
  const beta = optionsOf(operator, 'Softmax')?.float32(SOFTMAX.beta) ?? 0;
  const scale = beta * (value.grid?.scale ?? 1);
  const logits = scale === 1 ? value : importer.scaled(operator, value, scale, 0);
  const shares = importer.place(operator, (name) => softmax({ name }), logits);
  if (value.grid === undefined) return real(shares);
  return importer.finish(operator, shares, { scale: 1 / outScaleOf(importer, operator) });
};

export const POINTWISE_RULES: Readonly<Record<string, Rule>> = {
  ADD: arithmetic({
    options: 'Add',
    activation: ADD.activation,
    ofConstant: (constant) => [1, constant],
    make: add,
  }),
  DIV: arithmetic({
    options: 'Div',
    activation: DIV.activation,
    ofConstant: (constant, isFirst) => (isFirst ? undefined : [1 / constant, 0]),
    make: divide,
  }),
  LEAKY_RELU: curve((operator, name) =>
    leakyRelu({ name, alpha: optionsOf(operator, 'LeakyRelu')?.float32(LEAKY_RELU.alpha) ?? 0 }),
  ),
  LOGISTIC: curve((_, name) => sigmoid({ name })),
  MAXIMUM: extreme('maximum'),
  MINIMUM: extreme('minimum'),
  MUL: arithmetic({
    options: 'Mul',
    activation: MUL.activation,
    ofConstant: (constant) => [constant, 0],
    make: multiply,
  }),
  PRELU: preluRule,
  RELU: rectifier(ACTIVATION.relu),
  RELU6: rectifier(ACTIVATION.relu6),
  RELU_N1_TO_1: rectifier(ACTIVATION.reluN1To1),
  SOFTMAX: softmaxRule,
  SUB: arithmetic({
    options: 'Sub',
    activation: SUB.activation,
    ofConstant: (constant, isFirst) => (isFirst ? [-1, constant] : [1, -constant]),
    make: subtract,
  }),
  TANH: curve((_, name) => tanh({ name })),
};
