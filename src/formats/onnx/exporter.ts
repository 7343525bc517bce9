/**
 * What the writers of all layers share: the graph that is being written, and how this library's values lie in it. A value
 * [..., channels] is [batch, channels, ...] there: images are NCHW, filters OIHW.
 */
import { FormatError } from '../../errors.ts';
import type { Shape } from '../../gpu/index.ts';
import { floatValue, type ModelLayer, type ParameterValues, packedValue } from '../../graph/index.ts';
import type { QuantConv2dOptions } from '../../layers/index.ts';
import { permuteAxes } from '../../numerics/axes.ts';
import { weightsOfGroups } from '../../numerics/groups.ts';
import { rotatedSigns } from '../../numerics/rotation.ts';
import type { Attribute, WrittenNode, WrittenTensor } from './container-writer.ts';
import { Names } from './names.ts';

/** Whose operators say signs and quantization: QONNX' own, or ONNX' alone, which every runtime has. */
export type OperatorSet = 'qonnx' | 'standard';

export const QONNX_DOMAIN = 'qonnx.custom_op.general';

/** A layer that can't be written, and why. */
export function unwritable({ name, layer }: ModelLayer, reason: string, remedy?: string): FormatError {
  return new FormatError("ONNX can't say this layer.", {
    given: `${layer.kind}: ${reason}`,
    where: name,
    remedy,
  });
}

export class Exporter {
  readonly operators: OperatorSet;
  readonly nodes: WrittenNode[] = [];
  readonly initializers: WrittenTensor[] = [];
  readonly #values: ParameterValues;
  readonly #names: Names;

  /** @param taken names of inputs and outputs */
  constructor(values: ParameterValues, operators: OperatorSet, taken: readonly string[]) {
    this.#names = new Names(taken);
    this.#values = values;
    this.operators = operators;
  }

  /** Adds a node. @returns the name of its result */
  node(
    entry: ModelLayer,
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): string {
    const name = this.#names.free(`${entry.name}_${operator}`);
    const output = `${name}_out`;
    this.nodes.push({ name, operator, domain, inputs, outputs: [output], attributes });
    return output;
  }

  /** An operator of QONNX. @throws FormatError where only ONNX' own are wanted */
  custom(
    entry: ModelLayer,
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    if (this.operators === 'standard') {
      throw unwritable(entry, `${operator} is an operator of QONNX`, "leave operators: 'standard' away");
    }
    return this.node(entry, operator, inputs, attributes, QONNX_DOMAIN);
  }

  /** A constant tensor. @returns its name */
  constant(entry: ModelLayer, label: string, dims: readonly number[], data: ArrayLike<number>): string {
    const name = this.#names.free(`${entry.name}_${label}`);
    this.initializers.push({ name, dims, data: Float32Array.from(data) });
    return name;
  }

  /** A list of integers: a shape, pads. */
  integers(entry: ModelLayer, label: string, data: readonly number[]): string {
    const name = this.#names.free(`${entry.name}_${label}`);
    this.initializers.push({ name, dims: [data.length], data: BigInt64Array.from(data, BigInt) });
    return name;
  }

  scalar(entry: ModelLayer, label: string, value: number): string {
    return this.constant(entry, label, [], [value]);
  }

  /** A number for each channel, as it is broadcast to a value of this shape. */
  row(entry: ModelLayer, label: string, data: ArrayLike<number>, shape: Shape): string {
    return this.constant(entry, label, [data.length, ...shape.slice(1).map(() => 1)], data);
  }

  /** A parameter of a layer as floats. @throws FormatError when it is missing, ShapeError when it doesn't fit */
  floats(entry: ModelLayer, name: string): Float32Array {
    const full = `${entry.name}/${name}`;
    const value = this.#values.get(full);
    const spec = entry.parameters.find((own) => own.name === name);
    if (value === undefined || spec === undefined) {
      throw new FormatError('A parameter is missing.', { given: full, where: entry.name });
    }
    // Signs of latent weights are taken here only where they are those that the quantizer takes.
    const signs = spec.quantizer?.row?.hasArgument === true;
    return floatValue(signs ? packedValue(value, spec.shape, full, spec.quantizer) : value, spec.shape, full);
  }

  /** +1 where a value is at least 0, else −1. */
  signs(entry: ModelLayer, x: string): string {
    if (this.operators === 'qonnx')
      return this.custom(entry, 'BipolarQuant', [x, this.scalar(entry, 'one', 1)]);
    const reached = this.node(entry, 'GreaterOrEqual', [x, this.scalar(entry, 'zero', 0)]);
    const bits = this.node(entry, 'Cast', [reached], { to: 1 });
    const twice = this.node(entry, 'Mul', [bits, this.scalar(entry, 'two', 2)]);
    return this.node(entry, 'Sub', [twice, this.scalar(entry, 'one', 1)]);
  }

  /** x·scale + shift by channel; nothing where that changes nothing. */
  scaled(
    entry: ModelLayer,
    x: string,
    shape: Shape,
    { scale, shift }: { readonly scale?: ArrayLike<number>; readonly shift?: ArrayLike<number> },
  ): string {
    let result = x;
    if (scale !== undefined && Array.from(scale).some((own) => own !== 1)) {
      result = this.node(entry, 'Mul', [result, this.row(entry, 'scale', scale, shape)]);
    }
    if (shift !== undefined && Array.from(shift).some((own) => own !== 0)) {
      result = this.node(entry, 'Add', [result, this.row(entry, 'shift', shift, shape)]);
    }
    return result;
  }

  /**
   * Filters [O, ..., I] as [O, I, ...]; binary ones as their signs, marked as such, unless groups of them have scales: ONNX has one scale a
   * filter behind a product at most, so that these are reals.
   * @param name of the parameter
   */
  filters(entry: ModelLayer, name: string, isBinary: boolean) {
    const { values, shape, areScaled } = this.#used(entry, name);
    const areSigns = isBinary && !areScaled;
    const used = areSigns ? values.map((weight) => (weight < 0 ? -1 : 1)) : values;
    const rest = shape.slice(1).map((_, axis) => axis + 1);
    // A matrix is transposed: ONNX multiplies from the right.
    const order = shape.length === 2 ? [1, 0] : [0, rest.length, ...rest.slice(0, -1)];
    const dims = order.map((axis) => shape[axis] ?? 1);
    const constant = this.constant(entry, name, dims, permuteAxes(used, shape, order));
    const written = areSigns && this.operators === 'qonnx' ? this.signs(entry, constant) : constant;
    return { written, shape, areScaled };
  }

  /** Weights as the layer multiplies with them: rotated back where they are rotated before their signs are taken, or with the scales of groups. */
  #used(entry: ModelLayer, name: string) {
    const values = this.floats(entry, name);
    const { shape = [] } = entry.parameters.find((own) => own.name === name) ?? {};
    const { kernelRotation, groupScale, kernelSize } = entry.layer.config as Partial<QuantConv2dOptions>;
    if (groupScale !== undefined) {
      const scales = this.floats(entry, `${name}Scale`);
      return {
        ...weightsOfGroups(values, scales, entry.outputShape.at(-1) ?? 1, kernelSize),
        areScaled: true,
      };
    }
    if (kernelRotation === undefined) return { values, shape, areScaled: false };
    const { seed = 0, rounds = 3 } = kernelRotation;
    const [filters = 1] = shape;
    const size = values.length / filters;
    const rotated = Array.from({ length: filters }, (_, filter) =>
      rotatedSigns(values.subarray(filter * size, (filter + 1) * size), { seed, rounds }),
    );
    return { values: Float32Array.from(rotated.flat()), shape, areScaled: false };
  }

  /** Channels from ONNX' second axis to the last one, where they are in this library. */
  channelsLast(entry: ModelLayer, x: string, shape: Shape): string {
    const rank = shape.length + 1;
    if (rank === 2) return x;
    const perm = [0, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 2), 1];
    return this.node(entry, 'Transpose', [x], { perm });
  }

  channelsSecond(entry: ModelLayer, x: string, shape: Shape): string {
    const rank = shape.length + 1;
    if (rank === 2) return x;
    const perm = [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, axis) => axis + 1)];
    return this.node(entry, 'Transpose', [x], { perm });
  }
}
