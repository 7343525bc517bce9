/**
 * What the rules of all operators share: values that flow through the network, constants decoded from the file, and the
 * last step of every operator, a fused activation and, on int8 tensors, rounding to their integers.
 *
 * An int8 tensor travels as f32 integers less its zero point: 0 is a real zero, sums of products are exact below 2²⁴, and
 * padding with 0 is TensorFlow Lite's. Packed int32 tensors travel as this library's signs, whose bits are the same.
 */
import { BnnError, FormatError } from '../../errors.ts';
import { describe, type Shape } from '../../gpu/index.ts';
import {
  apply,
  assertValue,
  type GraphNode,
  type PackedSigns,
  type ParameterValue,
} from '../../graph/index.ts';
import { affine, flatten, type Layer, relu, requantize, reshape } from '../../layers/index.ts';
import { roundBy } from '../../numerics/rounding.ts';
import { LARGEST_F32 } from '../../ops/pointwise.ts';
import type { TfliteFile, TfliteOperator, TfliteTensor } from './container.ts';
import type { FlatTable } from './flat-table.ts';
import { refused } from './refused.ts';
import { ACTIVATION, OPTIONS, TENSOR_TYPE, tensorTypeName } from './schema.ts';
import { type Constant, decodeConstant } from './stored.ts';

/** real = scale·(integer − zeroPoint). */
export interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** A node of the graph. Shapes are without the batch; there is another one of as many values where a file reshapes. */
export interface Placed {
  readonly node: GraphNode;
  readonly nodeShape: Shape;
  /** What the file has it for; `settled` makes it so. */
  readonly shape: Shape;
}

/** What a tensor of the file has become. */
export interface Value extends Placed {
  readonly type: 'float32' | 'int8' | 'bool' | 'signs';
  /** int8 only; the node holds integer − zeroPoint. */
  readonly grid: Grid | undefined;
  /** Whether all values are −1 or +1, whatever their type. */
  readonly isSigns: boolean;
}

/** How an operator's raw result becomes its output: real = raw·scale + shift, in units of the output's scale for int8. */
export interface Finish {
  readonly activation?: number;
  /** int8 only; one number, or one a channel. */
  readonly scale?: number | ArrayLike<number>;
  readonly shift?: number | ArrayLike<number>;
  /** int8 only: the zero point is added before rounding, which matters for halves of negative numbers. */
  readonly addsZeroFirst?: boolean;
}

/** @returns undefined where the operator makes a constant */
export type Rule = (importer: Importer, operator: TfliteOperator) => Value | undefined;

/** Values that may be made for each byte of a file (a byte holds 8 binary weights), and more for per-channel constants. */
const VALUES_A_BYTE = 16;
const FREE_VALUES = 2 ** 20;

export class Importer {
  readonly file: TfliteFile;
  readonly batch: number;
  readonly values = new Map<string, ParameterValue>();
  /** Operators that are no layer any more. */
  readonly folded: string[] = [];
  readonly #known = new Map<number, Value>();
  /** Constants that operators make of others. */
  readonly #made = new Map<number, Constant>();
  /** Constants that operators make of packed ones. */
  readonly signs = new Map<number, PackedSigns>();
  readonly #names = new Set<string>();
  #left: number;

  /** @param bytes size of the file: what may be allocated depends on it */
  constructor(file: TfliteFile, batch: number, bytes: number) {
    this.file = file;
    this.batch = batch;
    this.#left = VALUES_A_BYTE * bytes + FREE_VALUES;
  }

  define(tensor: number, value: Value): void {
    this.#known.set(tensor, value);
  }

  known(tensor: number): Value | undefined {
    return this.#known.get(tensor);
  }

  /** A constant that an operator makes. */
  defineConstant(tensor: number, constant: Constant): void {
    this.#made.set(tensor, constant);
  }

  /** Whether a tensor's numbers are known while the file is read. */
  isConstant(tensor: number): boolean {
    return this.#made.has(tensor) || this.file.tensors[tensor]?.data !== undefined;
  }

  /** Whether an operator has made this tensor, or it is stored in the file. */
  isTaken(tensor: number): boolean {
    return this.isConstant(tensor) || this.#known.has(tensor) || this.signs.has(tensor);
  }

  /** A tensor as the file has it; one that is a constant by now with the shape that it came to. */
  tensor(operator: TfliteOperator, index: number | undefined, what: string): TfliteTensor {
    const tensor = this.file.tensors[index ?? -1];
    if (tensor === undefined) throw refused(operator, `its ${what} is missing`);
    if (!tensor.isPlain) throw refused(operator, `${tensor.name} has a state, or is sparse`);
    const made = this.#made.get(index ?? -1);
    return made === undefined ? tensor : { ...tensor, shape: made.shape, type: made.type };
  }

  /** The numbers of a constant, of whatever type. */
  stored(operator: TfliteOperator, index: number | undefined): Constant {
    const made = this.#made.get(index ?? -1);
    // Read ones count against the budget too: many operators may share one buffer.
    const claim = (count: number) => this.claim(operator, count, 'its constants were read too often');
    if (made === undefined) return decodeConstant(operator, this.tensor(operator, index, 'constant'), claim);
    claim(made.data.length);
    return made;
  }

  output(operator: TfliteOperator): TfliteTensor {
    return this.tensor(operator, operator.outputs[0], 'output');
  }

  /** An input that depends on the network's. @throws FormatError where it is a constant, or not computed yet */
  input(operator: TfliteOperator, position = 0): Value {
    const index = operator.inputs[position] ?? -1;
    const value = this.#known.get(index);
    if (value === undefined) {
      const { name } = this.tensor(operator, index, `input ${position}`);
      throw refused(
        operator,
        this.isConstant(index)
          ? `${name} is a constant, where the network should be`
          : `${name} comes from nowhere before it`,
      );
    }
    return value;
  }

  /** An input of numbers: float32, or int8. */
  numbers(operator: TfliteOperator, position = 0): Value {
    const value = this.input(operator, position);
    const out = this.output(operator);
    if (value.type !== 'float32' && value.type !== 'int8') {
      throw refused(operator, `input ${position} holds ${value.type}, not numbers`);
    }
    if (out.type !== TENSOR_TYPE[value.type]) {
      throw refused(operator, `it makes ${tensorTypeName(out.type)} from ${value.type}`);
    }
    return value;
  }

  has(operator: TfliteOperator, position: number): boolean {
    return (operator.inputs[position] ?? -1) >= 0;
  }

  /** Claims room for values that are made. @throws FormatError where the file asks for more than its size allows */
  allocate(operator: TfliteOperator, count: number): Float32Array<ArrayBuffer> {
    this.claim(operator, count, `${count} values more than a file of this size may make`);
    return new Float32Array(count);
  }

  /** Claims room for values. @throws FormatError with this reason where the file asks for more than its size allows */
  claim(operator: TfliteOperator, count: number, reason: string): void {
    this.#left -= count;
    if (!(this.#left >= 0)) throw refused(operator, reason);
  }

  /**
   * A constant's numbers as they are stored.
   * @param types that are allowed
   * @throws FormatError unless it is a constant of one of them, as long as its shape says
   */
  constant(
    operator: TfliteOperator,
    position: number,
    ...types: (keyof typeof TENSOR_TYPE)[]
  ): { readonly data: ArrayLike<number>; readonly tensor: TfliteTensor } {
    const index = operator.inputs[position] ?? -1;
    const tensor = this.tensor(operator, index, `input ${position}`);
    const { name } = tensor;
    if (!this.isConstant(index)) throw refused(operator, `${name} is no constant`);
    if (types.every((allowed) => TENSOR_TYPE[allowed] !== tensor.type)) {
      throw refused(operator, `${name} holds ${tensorTypeName(tensor.type)}, not ${types.join(' or ')}`);
    }
    return { tensor, data: this.stored(operator, index).data };
  }

  /** A list of integers: a shape, axes. */
  integers(operator: TfliteOperator, position: number): number[] {
    return Array.from(this.constant(operator, position, 'int32', 'int64').data);
  }

  /** The scale and zero point of a whole int8 tensor. */
  grid(operator: TfliteOperator, { name, quantization }: TfliteTensor): Grid {
    const [scale = 0, ...more] = quantization?.scales ?? [];
    const zeroPoint = quantization?.zeroPoints[0] ?? 0;
    if (!(scale > 0 && Number.isFinite(scale)) || more.length > 0 || !(Math.abs(zeroPoint + 0.5) < 128)) {
      throw refused(operator, `${name} has no scale and zero point for 8 bits`);
    }
    return { scale, zeroPoint };
  }

  /** Adds a layer with the values of its parameters, named after the operator. */
  place(
    operator: TfliteOperator,
    make: (name: string) => Layer,
    inputs: Placed | readonly Placed[],
    parameters: Readonly<Record<string, ParameterValue>> = {},
  ): Placed {
    const all = 'node' in inputs ? [inputs] : inputs;
    const from = all.map((input) => this.settled(operator, input));
    const base = operator.where.replaceAll(' ', '_');
    try {
      const kind = make(base).kind;
      let name = this.#names.has(base) ? `${base}_${kind}` : base;
      for (let count = 2; this.#names.has(name); count++) name = `${base}_${kind}_${count}`;
      this.#names.add(name);
      const layer = make(name);
      const shapes = from.map((input) => input.shape);
      const shape = layer.outputShape(shapes, name);
      for (const spec of layer.parameters(shapes)) {
        const value = parameters[spec.name] ?? new Float32Array();
        assertValue(value, spec, name);
        this.values.set(`${name}/${spec.name}`, value);
      }
      return { node: apply(layer, ...from.map(({ node }) => node)), nodeShape: shape, shape };
    } catch (cause) {
      if (!(cause instanceof BnnError) || cause instanceof FormatError) throw cause;
      const detail = [cause.what, cause.given && `given ${cause.given}`].filter(Boolean).join(' ');
      throw new FormatError('This operator does not fit its input.', {
        given: detail,
        where: operator.where,
        cause,
      });
    }
  }

  /** A layer that treats every channel alike, wherever it stands: a pending shape stays pending. */
  alike(
    operator: TfliteOperator,
    make: (name: string) => Layer,
    x: Placed,
    parameters: Readonly<Record<string, ParameterValue>> = {},
  ): Placed {
    if (x.nodeShape.at(-1) !== x.shape.at(-1)) return this.place(operator, make, x, parameters);
    return { ...this.place(operator, make, { ...x, shape: x.nodeShape }, parameters), shape: x.shape };
  }

  /** The node in the shape that the file has it for. */
  settled(operator: TfliteOperator, x: Placed): Placed {
    const { nodeShape, shape } = x;
    if (describe(nodeShape) === describe(shape)) return x;
    const make = (name: string) => (shape.length === 1 ? flatten({ name }) : reshape({ name, shape }));
    return this.place(operator, make, { ...x, shape: nodeShape });
  }

  /** x·scale + shift by channel. */
  scaled(
    operator: TfliteOperator,
    x: Placed,
    scale: number | ArrayLike<number>,
    shift: number | ArrayLike<number>,
  ): Placed {
    return this.alike(operator, (name) => affine({ name }), x, this.perChannel(operator, x, scale, shift));
  }

  /** The two parameters of a layer that scales and shifts by channel. */
  perChannel(
    operator: TfliteOperator,
    { shape }: Placed,
    scale: number | ArrayLike<number>,
    shift: number | ArrayLike<number>,
  ): { scale: Float32Array<ArrayBuffer>; shift: Float32Array<ArrayBuffer> } {
    const filled = (given: number | ArrayLike<number>) => {
      const row = this.allocate(operator, shape.at(-1) ?? 1);
      if (typeof given === 'number') row.fill(given);
      else for (let c = 0; c < row.length; c++) row[c] = given[c] ?? 0;
      return row;
    };
    return { scale: filled(scale), shift: filled(shift) };
  }

  /** The operator's output: activation, and rounding where the tensor holds int8. */
  finish(operator: TfliteOperator, raw: Placed, finish: Finish = {}): Value {
    const out = this.output(operator);
    const { activation = ACTIVATION.none, scale = 1, shift = 0, addsZeroFirst = false } = finish;
    const [low, high] = activationBounds(operator, activation);
    if (out.type === TENSOR_TYPE.float32) return real(this.clipped(operator, raw, low, high));
    if (out.type !== TENSOR_TYPE.int8) {
      throw refused(operator, `its output holds ${tensorTypeName(out.type)}`);
    }
    const grid = this.grid(operator, out);
    const { zeroPoint } = grid;
    const integer = (bound: number) =>
      Math.max(-128, Math.min(127, zeroPoint + roundBy('halfAwayFromZero', bound / grid.scale)));
    const range = [low === -Infinity ? -128 : integer(low), high === Infinity ? 127 : integer(high)] as const;
    const parameters = this.perChannel(operator, raw, scale, shift);
    if (addsZeroFirst)
      for (const [c, value] of parameters.shift.entries()) parameters.shift[c] = value + zeroPoint;
    const options = addsZeroFirst
      ? { minimum: range[0], maximum: range[1], zeroPoint }
      : { minimum: range[0] - zeroPoint, maximum: range[1] - zeroPoint, zeroPoint: 0 };
    const placed = this.alike(operator, (name) => requantize({ name, ...options }), raw, parameters);
    return { ...placed, type: 'int8', grid, isSigns: false };
  }

  /** Numbers in units of an int8 output's scale, its zero point among them, to its integers. */
  rounded(operator: TfliteOperator, raw: Placed): Value {
    const grid = this.grid(operator, this.output(operator));
    const options = { minimum: -128, maximum: 127, zeroPoint: grid.zeroPoint };
    const parameters = this.perChannel(operator, raw, 1, 0);
    const placed = this.alike(operator, (name) => requantize({ name, ...options }), raw, parameters);
    return { ...placed, type: 'int8', grid, isSigns: false };
  }

  /** Bounded by an activation; nothing where there is none. */
  clipped(operator: TfliteOperator, x: Placed, low: number, high: number): Placed {
    if (low === -Infinity && high === Infinity) return x;
    const bounds = {
      ...(low === 0 ? {} : { minimum: Math.max(low, -LARGEST_F32) }),
      ...(high === Infinity ? {} : { maximum: high }),
    };
    return this.alike(operator, (name) => relu({ name, ...bounds }), x);
  }

  /** An output that keeps the input's integers: the scales must agree. */
  kept(operator: TfliteOperator, from: Value, raw: Placed, activation: number = ACTIVATION.none): Value {
    const out = this.output(operator);
    if (from.grid !== undefined) {
      const grid = this.grid(operator, out);
      if (Math.abs(grid.scale / from.grid.scale - 1) > 1e-6 || grid.zeroPoint !== from.grid.zeroPoint) {
        throw refused(operator, 'its input and its output have different scales');
      }
      if (activation !== ACTIVATION.none) return this.finish(operator, raw, { activation });
      return { ...raw, type: 'int8', grid: from.grid, isSigns: false };
    }
    if (activation !== ACTIVATION.none) return this.finish(operator, raw, { activation });
    return { ...real(raw), isSigns: from.isSigns };
  }
}

export function real(placed: Placed): Value {
  const { node, nodeShape, shape } = placed;
  return { node, nodeShape, shape, type: 'float32', grid: undefined, isSigns: false };
}

/** @throws FormatError for a fused activation that isn't a clamp */
export function activationBounds(
  operator: TfliteOperator,
  activation: number,
): readonly [low: number, high: number] {
  if (activation === ACTIVATION.none) return [-Infinity, Infinity];
  if (activation === ACTIVATION.relu) return [0, Infinity];
  if (activation === ACTIVATION.reluN1To1) return [-1, 1];
  if (activation === ACTIVATION.relu6) return [0, 6];
  throw refused(operator, `its fused activation is number ${activation}`);
}

/** @throws FormatError where the options are another operator's */
export function optionsOf(operator: TfliteOperator, type: keyof typeof OPTIONS): FlatTable | undefined {
  if (operator.optionsType === OPTIONS.none) return undefined;
  if (operator.optionsType !== OPTIONS[type]) {
    throw refused(operator, `its options are of type ${operator.optionsType}`);
  }
  return operator.options;
}
