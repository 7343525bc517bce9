/**
 * Networks in ONNX files with the operators of QONNX and FINN (github.com/fastmachinelearning/qonnx): an importer that
 * compiles the graph for inference while it reads it. Constants are folded in float64; scales and normalisations travel
 * along as one scale and one shift a channel until a sign turns them into a threshold; weights of one magnitude become
 * one bit each; channels move from NCHW to NHWC. An entry of its own, `webgpu-bnn/onnx`, because it needs a package.
 */
import { FormatError } from '../errors.ts';
import { sizeOf } from '../gpu/index.ts';
import { apply, type GraphNode, input, type Model, model } from '../graph/index.ts';
import { affine, dense, flatten, type Layer, quantDense, threshold } from '../layers/index.ts';
import { type OnnxGraph, type OnnxNode, type OnnxTensor, parseOnnx } from './onnx-proto.ts';

export interface OnnxNetwork {
  readonly model: Model;
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** `labels` where the file ends in a TopK: the model gives the scores, whose largest is the label. */
  readonly output: 'scores' | 'labels';
  /** What became of the nodes that are no layer any more. */
  readonly folded: readonly string[];
}

/** A value that depends on the model's input: node·scale + shift, by channel. */
interface Activation {
  readonly kind: 'activation';
  readonly node: GraphNode;
  /** As ONNX has them, the batch first and the channels second. */
  readonly dims: readonly number[];
  /** Of the graph's node, without the batch: [features] or [height, width, channels]. */
  readonly shape: readonly number[];
  /** One for each channel of the node, its last axis. */
  readonly scale: Float64Array<ArrayBuffer>;
  readonly shift: Float64Array<ArrayBuffer>;
  /** What the node's own values are. */
  readonly values: 'reals' | 'integers' | 'signs';
  /** Where each channel of the node stands in ONNX' order, if that is another one (an image made flat). */
  readonly order: Int32Array<ArrayBuffer> | undefined;
}

interface Constant extends OnnxTensor {
  readonly kind: 'constant';
}

type Value = Activation | Constant;
type Rule = (context: Importer, node: OnnxNode, inputs: readonly Value[]) => Value;

/** Larger constants aren't made while folding. */
const MOST_ELEMENTS = 2 ** 26;
/** A threshold this near to an integer, relatively, is that integer: float64 has no finer say. */
const SAME = 1e-9;

/**
 * Imports an ONNX file.
 * @returns a model that `Network.create(gpu, model, { values })` runs; its input has the file's meaning, as NHWC
 * @throws FormatError when the file is damaged, or listing every operator that isn't supported, before anything else
 */
export function importOnnx(bytes: Uint8Array): OnnxNetwork {
  const graph = parseOnnx(bytes);
  const unsupported = graph.nodes.filter(({ operator }) => !Object.hasOwn(RULES, operator));
  if (unsupported.length > 0) {
    throw new FormatError('This ONNX file has operators that are not supported.', {
      given: unsupported.map(({ operator, name }) => `${operator} (${name})`).join(', '),
      expected: Object.keys(RULES).join(', '),
      where: unsupported[0]?.name,
    });
  }
  return new Importer(graph).run();
}

class Importer {
  readonly #graph: OnnxGraph;
  readonly #names = new Map<string, Value>();
  readonly #values = new Map<string, Float32Array<ArrayBuffer>>();
  readonly #taken = new Set<string>();
  readonly folded: string[] = [];
  output: OnnxNetwork['output'] = 'scores';

  constructor(graph: OnnxGraph) {
    this.#graph = graph;
  }

  run(): OnnxNetwork {
    const { nodes, initializers, inputs, outputs } = this.#graph;
    for (const [name, tensor] of initializers) this.#names.set(name, { kind: 'constant', ...tensor });
    const given = inputs.filter(({ name }) => !initializers.has(name));
    const [only] = given;
    const [result] = outputs;
    if (only === undefined || given.length !== 1 || result === undefined || outputs.length !== 1) {
      throw new FormatError('A network has one input and one output.', {
        given: `${given.length} inputs, ${outputs.length} outputs`,
        where: 'ONNX',
      });
    }
    const [, channels = 0, height, width, ...more] = only.dims;
    const shape = height === undefined ? [channels] : [height, width ?? 0, channels];
    if (
      only.dims.length < 2 ||
      more.length > 0 ||
      shape.some((extent) => extent < 1) ||
      sizeOf(shape) > MOST_ELEMENTS
    ) {
      throw new FormatError("The input's shape doesn't fit.", {
        given: `[${only.dims.join(', ')}]`,
        expected: '[batch, channels, height, width] or [batch, features]',
        where: only.name,
      });
    }
    const start = input(shape);
    this.#names.set(only.name, activation(start, [1, ...only.dims.slice(1)], shape, 'reals'));

    for (const node of nodes) {
      const values = node.inputs.map((name) => this.#named(name, node));
      const rule = RULES[node.operator];
      const [output] = node.outputs;
      if (rule === undefined || output === undefined) throw refused(node, 'it has no output');
      if (node.operator === 'TopK' && (node !== nodes.at(-1) || node.outputs[1] !== result.name)) {
        throw refused(node, 'its indices are not the output');
      }
      const value = rule(this, node, values);
      for (const name of node.outputs) this.#names.set(name, value);
    }
    const last = this.#names.get(result.name);
    if (last?.kind !== 'activation') {
      throw new FormatError("The output doesn't depend on the input.", { where: result.name });
    }
    const { node } = this.materialized(last, 'output');
    const built = model({ input: start, output: node, name: 'ONNX' });
    return { model: built, values: this.#values, output: this.output, folded: this.folded };
  }

  /** Adds a layer with the values of its parameters, under the name of a node. */
  layer(
    name: string,
    make: (name: string) => Layer,
    from: GraphNode,
    values: Readonly<Record<string, Float32Array<ArrayBuffer>>> = {},
  ): GraphNode {
    let free = name;
    for (let count = 2; this.#taken.has(free); count++) free = `${name}_${count}`;
    this.#taken.add(free);
    for (const [key, value] of Object.entries(values)) this.#values.set(`${free}/${key}`, value);
    return apply(make(free), from);
  }

  /** The same value with nothing pending. */
  materialized(value: Activation, name: string): Activation {
    if (value.scale.every((scale) => scale === 1) && value.shift.every((shift) => shift === 0)) return value;
    const node = this.layer(`${name}_scale`, (given) => affine({ name: given }), value.node, {
      scale: Float32Array.from(value.scale),
      shift: Float32Array.from(value.shift),
    });
    return { ...activation(node, value.dims, value.shape, 'reals'), order: value.order };
  }

  #named(name: string, node: OnnxNode): Value {
    const value = this.#names.get(name);
    if (value === undefined)
      throw refused(node, `its input ${JSON.stringify(name)} comes from nowhere before it`);
    return value;
  }
}

function activation(
  node: GraphNode,
  dims: readonly number[],
  shape: readonly number[],
  values: Activation['values'],
): Activation {
  const channels = shape.at(-1) ?? 1;
  const scale = new Float64Array(channels).fill(1);
  return {
    kind: 'activation',
    node,
    dims,
    shape,
    scale,
    shift: new Float64Array(channels),
    values,
    order: undefined,
  };
}

/** A node that can't be imported, and why. */
function refused(node: OnnxNode, reason: string): FormatError {
  return new FormatError('This ONNX node is not supported as it is.', {
    given: `${node.operator}: ${reason}`,
    where: node.name,
  });
}

function activationOf(node: OnnxNode, value: Value | undefined): Activation {
  if (value?.kind === 'activation') return value;
  throw refused(node, 'a constant stands where the network should');
}

function constantOf(node: OnnxNode, value: Value | undefined): Constant {
  if (value?.kind === 'constant') return value;
  throw refused(node, 'a constant is missing');
}

function numberOf(node: OnnxNode, name: string, otherwise: number): number {
  return node.numbers.get(name)?.[0] ?? otherwise;
}

/** A constant as one number for each channel of the node. */
function perChannel(node: OnnxNode, value: Activation, constant: Constant): Float64Array<ArrayBuffer> {
  const channels = value.scale.length;
  const { data } = constant;
  if (data.length === 1) return new Float64Array(channels).fill(data[0] ?? 0);
  const axis = constant.dims.length - value.dims.length + 1;
  const others = constant.dims.filter((_, index) => index !== axis);
  if (data.length !== channels || others.some((extent) => extent !== 1)) {
    throw refused(node, `a constant of shape [${constant.dims.join(', ')}] isn't one number a channel`);
  }
  return reordered(value, data);
}

/** A row in ONNX' order of channels, in the node's. */
function reordered(value: Activation, row: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const { order } = value;
  return order === undefined ? row : row.map((_, channel) => row[order[channel] ?? 0] ?? 0);
}

/** Elementwise arithmetic of constants with broadcasting. */
function broadcast(node: OnnxNode, a: Constant, b: Constant, f: (x: number, y: number) => number): Constant {
  const rank = Math.max(a.dims.length, b.dims.length);
  const extents = (dims: readonly number[]) => [...new Array<number>(rank - dims.length).fill(1), ...dims];
  const [left, right] = [extents(a.dims), extents(b.dims)];
  const dims = left.map((extent, axis) => {
    const other = right[axis] ?? 1;
    if (extent !== other && extent !== 1 && other !== 1) throw refused(node, "its constants don't fit");
    return extent === 1 ? other : extent;
  });
  const size = sizeOf(dims);
  if (size > MOST_ELEMENTS) throw refused(node, `its result would have ${size} elements`);
  const at = (own: readonly number[], index: number) => {
    let [place, stride, rest] = [0, 1, index];
    for (let axis = rank - 1; axis >= 0; axis--) {
      const extent = dims[axis] ?? 1;
      if (own[axis] !== 1) place += (rest % extent) * stride;
      stride *= own[axis] ?? 1;
      rest = Math.floor(rest / extent);
    }
    return place;
  };
  const data = Float64Array.from({ length: size }, (_, i) =>
    f(a.data[at(left, i)] ?? 0, b.data[at(right, i)] ?? 0),
  );
  return { kind: 'constant', dims, data };
}

/** Add, Sub, Mul, Div: folded between constants, pending on activations. */
function arithmetic(
  f: (x: number, y: number) => number,
  pend: (c: number, isFirst: boolean) => readonly [scale: number, shift: number] | undefined,
): Rule {
  return (importer, node, [a, b]) => {
    if (a?.kind === 'constant' && b?.kind === 'constant') return broadcast(node, a, b, f);
    const isFirst = a?.kind === 'constant';
    const value = activationOf(node, isFirst ? b : a);
    const constants = perChannel(node, value, constantOf(node, isFirst ? a : b));
    importer.folded.push(node.name);
    return compose(value, (channel) => {
      const step = pend(constants[channel] ?? 0, isFirst);
      if (step === undefined || !step.every(Number.isFinite))
        throw refused(node, 'it divides by the network or by zero');
      return step;
    });
  };
}

/** value·scale + shift, pending. */
function compose(
  value: Activation,
  step: (channel: number) => readonly [scale: number, shift: number],
): Activation {
  const steps = Array.from(value.scale, (_, channel) => step(channel));
  return {
    ...value,
    scale: value.scale.map((scale, channel) => scale * (steps[channel]?.[0] ?? 1)),
    shift: value.shift.map(
      (shift, channel) => shift * (steps[channel]?.[0] ?? 1) + (steps[channel]?.[1] ?? 0),
    ),
  };
}

/** +1 where the value is at least `limits`, else −1, then scaled: the pending scale and shift become a threshold. */
function binarize(
  importer: Importer,
  node: OnnxNode,
  value: Activation,
  limits: Float64Array<ArrayBuffer>,
  [outScale, outShift]: readonly [number, number],
): Activation {
  const direction = new Float32Array(limits.length);
  const thresholds = new Float32Array(limits.length);
  for (const [channel, limit] of limits.entries()) {
    const scale = value.scale[channel] ?? 1;
    const rest = limit - (value.shift[channel] ?? 0);
    if (!Number.isFinite(scale) || !Number.isFinite(rest)) throw refused(node, 'a threshold is not finite');
    const sign = Math.sign(scale);
    direction[channel] = sign;
    if (sign === 0) thresholds[channel] = rest <= 0 ? 0 : 1;
    else
      thresholds[channel] =
        value.values === 'reals' ? roundUp(rest / Math.abs(scale)) : wholeUp(rest / Math.abs(scale));
  }
  importer.folded.push(node.name);
  const made = importer.layer(node.name, (name) => threshold({ name }), value.node, {
    direction,
    threshold: thresholds,
  });
  const signs = { ...activation(made, value.dims, value.shape, 'signs'), order: value.order };
  return compose(signs, () => [outScale, outShift]);
}

/** The least integer that is not below, within what f32 holds exactly. */
function wholeUp(value: number): number {
  const nearest = Math.round(value);
  const whole = Math.abs(value - nearest) <= SAME * Math.max(1, Math.abs(value)) ? nearest : Math.ceil(value);
  return Math.max(-(2 ** 24), Math.min(2 ** 24, whole)) + 0;
}

/** The least f32 that is not below. */
function roundUp(value: number): number {
  const near = Math.fround(value);
  if (near >= value || !Number.isFinite(near)) return near;
  if (near === 0) return 2 ** -149;
  const word = new DataView(new ArrayBuffer(4));
  word.setFloat32(0, near);
  word.setInt32(0, word.getInt32(0) + (near > 0 ? 1 : -1));
  return word.getFloat32(0);
}

/** activation · matrix [K, N], with a shift [N] of its own. */
function product(
  importer: Importer,
  node: OnnxNode,
  given: Activation,
  matrix: (k: number, n: number) => number,
  [K, N]: readonly [number, number],
): Activation {
  const isUniform = given.scale.every((scale) => scale === given.scale[0]);
  const value = isUniform ? given : importer.materialized(given, node.name);
  if (value.shape.length !== 1 || value.shape[0] !== K) {
    throw refused(node, `${K} rows meet a value of shape [${value.dims.join(', ')}]`);
  }
  const inScale = value.scale[0] ?? 1;
  const kernel = new Float32Array(N * K);
  const scale = new Float64Array(N);
  const shift = new Float64Array(N);
  let isBinary = true;
  for (let n = 0; n < N; n++) {
    const magnitude = Math.abs(matrix(0, n));
    for (let k = 0; k < K; k++) {
      const weight = matrix(value.order?.[k] ?? k, n);
      if (Math.abs(weight) !== magnitude || magnitude === 0) isBinary = false;
      kernel[n * K + k] = weight;
      shift[n] = (shift[n] ?? 0) + weight * (value.shift[k] ?? 0);
    }
    scale[n] = inScale * magnitude;
  }
  if (!isBinary) scale.fill(inScale);
  else
    kernel.forEach((weight, index) => {
      kernel[index] = Math.sign(weight);
    });
  const isInteger = isBinary && value.values !== 'reals';
  const binary = { units: N, kernelQuantizer: 'steSign' } as const;
  const make = (name: string): Layer => {
    if (!isBinary) return dense({ name, units: N });
    // The sign of a sign is itself; saying so counts the products as binary ones.
    return quantDense({
      name,
      ...binary,
      ...(value.values === 'signs' ? { inputQuantizer: 'steSign' } : {}),
    });
  };
  const made = importer.layer(node.name, make, value.node, { kernel });
  return { ...activation(made, [1, N], [N], isInteger ? 'integers' : 'reals'), scale, shift };
}

/** A constant or an activation under other dims; an image becomes flat. */
function reshape(importer: Importer, node: OnnxNode, value: Value, asked: readonly number[]): Value {
  const size = sizeOf(value.dims);
  const known = asked.map((extent, axis) => (extent === 0 ? (value.dims[axis] ?? 0) : extent));
  const open = known.filter((extent) => extent < 0).length;
  const rest = size / sizeOf(known.filter((extent) => extent >= 0));
  const dims = known.map((extent) => (extent < 0 ? rest : extent));
  if (open > 1 || sizeOf(dims) !== size || dims.some((extent) => !Number.isSafeInteger(extent))) {
    throw refused(node, `[${value.dims.join(', ')}] can't become [${asked.join(', ')}]`);
  }
  if (value.kind === 'constant') return { ...value, dims };
  importer.folded.push(node.name);
  const keepsChannels = dims[1] === value.dims[1];
  if (keepsChannels && (dims.length > 2 || value.shape.length === 1)) return { ...value, dims };
  if (dims.length !== 2 || dims[0] !== 1) throw refused(node, 'only a whole image can be made flat');
  if (value.shape.length === 1) return { ...value, dims };
  const [height = 1, width = 1, channels = 1] = value.shape;
  const flat = importer.layer(node.name, (name) => flatten({ name }), value.node);
  const spread = (row: Float64Array<ArrayBuffer>) =>
    Float64Array.from({ length: size }, (_, i) => row[i % channels] ?? 0);
  const order = Int32Array.from(
    { length: size },
    (_, i) => (i % channels) * height * width + Math.floor(i / channels),
  );
  return {
    ...activation(flat, dims, [size], value.values),
    scale: spread(value.scale),
    shift: spread(value.shift),
    order: channels === 1 ? undefined : order,
  };
}

function axesOf(node: OnnxNode, inputs: readonly Value[]): readonly number[] {
  return node.numbers.get('axes') ?? (inputs[1] === undefined ? [] : [...constantOf(node, inputs[1]).data]);
}

/** Dims with axes of extent 1 put in or taken out; a constant's data stay as they are. */
function withDims(node: OnnxNode, value: Value | undefined, dims: readonly number[]): Value {
  if (value === undefined) throw refused(node, 'its input is missing');
  return { ...value, dims };
}

const RULES: Readonly<Record<string, Rule>> = {
  Add: arithmetic(
    (x, y) => x + y,
    (c) => [1, c],
  ),
  Sub: arithmetic(
    (x, y) => x - y,
    (c, isFirst) => (isFirst ? [-1, c] : [1, -c]),
  ),
  Mul: arithmetic(
    (x, y) => x * y,
    (c) => [c, 0],
  ),
  Div: arithmetic(
    (x, y) => x / y,
    (c, isFirst) => (isFirst ? undefined : [1 / c, 0]),
  ),
  Pow: (_, node, [a, b]) => broadcast(node, constantOf(node, a), constantOf(node, b), (x, y) => x ** y),

  BatchNormalization: (importer, node, [x, ...parameters]) => {
    const value = activationOf(node, x);
    const [gamma, beta, mean, variance] = parameters.map((parameter) => {
      const { dims, data } = constantOf(node, parameter);
      // One number a channel, and the channels are the second axis whatever comes after.
      return perChannel(node, value, {
        kind: 'constant',
        dims: [...dims, ...value.dims.slice(2).map(() => 1)],
        data,
      });
    });
    const epsilon = numberOf(node, 'epsilon', 1e-5);
    importer.folded.push(node.name);
    return compose(value, (channel) => {
      const scale = (gamma?.[channel] ?? 1) / Math.sqrt((variance?.[channel] ?? 1) + epsilon);
      return [scale, (beta?.[channel] ?? 0) - scale * (mean?.[channel] ?? 0)];
    });
  },

  Sign: (importer, node, [x]) => {
    const value = activationOf(node, x);
    return binarize(importer, node, value, new Float64Array(value.scale.length), [1, 0]);
  },

  BipolarQuant: (importer, node, [x, by]) => {
    const [scale = 1, ...more] = constantOf(node, by).data;
    if (more.length > 0) throw refused(node, 'it has a scale for each channel');
    if (x?.kind === 'constant') return { ...x, data: x.data.map((weight) => (weight >= 0 ? scale : -scale)) };
    const value = activationOf(node, x);
    return binarize(importer, node, value, new Float64Array(value.scale.length), [scale, 0]);
  },

  MultiThreshold: (importer, node, [x, limits]) => {
    const value = activationOf(node, x);
    const { dims, data } = constantOf(node, limits);
    if (dims.length !== 2 || dims[1] !== 1)
      throw refused(node, `it has ${dims[1]} thresholds a channel, not 1`);
    const layout = node.texts.get('data_layout') ?? 'NCHW';
    if (layout.endsWith('C') && layout.length > 2) throw refused(node, `its layout is ${layout}`);
    const column: Constant = {
      kind: 'constant',
      dims: [...dims.slice(0, 1), ...value.dims.slice(2).map(() => 1)],
      data,
    };
    const scale = numberOf(node, 'out_scale', 1) / 2;
    return binarize(importer, node, value, perChannel(node, value, column), [
      scale,
      scale + numberOf(node, 'out_bias', 0),
    ]);
  },

  MatMul: (importer, node, [x, w]) => {
    const { dims, data } = constantOf(node, w);
    const [K = 0, N = 0] = dims;
    if (dims.length !== 2 || K < 1 || N < 1)
      throw refused(node, `its matrix has the shape [${dims.join(', ')}]`);
    return product(importer, node, activationOf(node, x), (k, n) => data[k * N + n] ?? 0, [K, N]);
  },

  Gemm: (importer, node, [x, w, c]) => {
    const { dims, data } = constantOf(node, w);
    const isTransposed = numberOf(node, 'transB', 0) === 1;
    const [rows = 0, columns = 0] = dims;
    if (dims.length !== 2 || rows < 1 || columns < 1 || numberOf(node, 'transA', 0) !== 0) {
      throw refused(node, `its matrix has the shape [${dims.join(', ')}], or its input is transposed`);
    }
    const [alpha, beta] = [numberOf(node, 'alpha', 1), numberOf(node, 'beta', 1)];
    const weight = (k: number, n: number) =>
      alpha * (data[isTransposed ? n * columns + k : k * columns + n] ?? 0);
    const extents: readonly [number, number] = isTransposed ? [columns, rows] : [rows, columns];
    const value = product(importer, node, activationOf(node, x), weight, extents);
    if (c === undefined) return value;
    const bias = perChannel(node, value, constantOf(node, c));
    return compose(value, (channel) => [1, beta * (bias[channel] ?? 0)]);
  },

  Transpose: (_, node, [x]) => {
    const { dims, data } = constantOf(node, x);
    const [rows = 0, columns = 0] = dims;
    const perm = node.numbers.get('perm') ?? [1, 0];
    if (dims.length !== 2 || perm.join() !== '1,0')
      throw refused(node, 'only a constant matrix is transposed');
    const turned = data.map((_value, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
    return { kind: 'constant', dims: [columns, rows], data: turned };
  },

  Reshape: (importer, node, [x, shape]) => {
    if (x === undefined) throw refused(node, 'its input is missing');
    return reshape(importer, node, x, [...constantOf(node, shape).data]);
  },

  Flatten: (importer, node, [x]) => {
    if (x === undefined || numberOf(node, 'axis', 1) !== 1) throw refused(node, 'its axis is not 1');
    return reshape(importer, node, x, [x.dims[0] ?? 1, -1]);
  },

  Squeeze: (_, node, inputs) => {
    const dims = inputs[0]?.dims ?? [];
    const axes = axesOf(node, inputs).map((axis) => (axis < 0 ? axis + dims.length : axis));
    const gone = (extent: number, axis: number) => extent === 1 && (axes.length === 0 || axes.includes(axis));
    if (axes.some((axis) => dims[axis] !== 1)) throw refused(node, 'an axis is not 1 long');
    if (inputs[0]?.kind === 'activation' && (axes.length === 0 || axes.some((axis) => axis < 2))) {
      throw refused(node, 'it takes away the batch or the channels');
    }
    return withDims(
      node,
      inputs[0],
      dims.filter((extent, axis) => !gone(extent, axis)),
    );
  },

  Unsqueeze: (_, node, inputs) => {
    const dims = [...(inputs[0]?.dims ?? [])];
    const axes = axesOf(node, inputs);
    const rank = dims.length + axes.length;
    const places = axes.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
    if (
      rank > 8 ||
      places.some((axis) => !(axis >= (inputs[0]?.kind === 'activation' ? 2 : 0) && axis < rank))
    ) {
      throw refused(node, 'an axis is out of range');
    }
    for (const axis of places) dims.splice(axis, 0, 1);
    return withDims(node, inputs[0], dims);
  },

  Shape: (_, node, [x]) => {
    if (x === undefined) throw refused(node, 'its input is missing');
    return { kind: 'constant', dims: [x.dims.length], data: Float64Array.from(x.dims) };
  },

  Gather: (_, node, [x, index]) => {
    const { data } = constantOf(node, x);
    const picked = constantOf(node, index);
    if (numberOf(node, 'axis', 0) !== 0 || constantOf(node, x).dims.length !== 1)
      throw refused(node, 'not from a list');
    const values = picked.data.map((i) => data[i < 0 ? i + data.length : i] ?? Number.NaN);
    if (values.some(Number.isNaN)) throw refused(node, 'an index is out of range');
    return { ...picked, data: values };
  },

  Concat: (_, node, inputs) => {
    const parts = inputs.map((part) => constantOf(node, part));
    if (parts.some(({ dims }) => dims.length !== 1)) throw refused(node, 'only lists are put together');
    const data = Float64Array.from(parts.flatMap((part) => [...part.data]));
    return { kind: 'constant', dims: [data.length], data };
  },

  Constant: (_, node) => {
    const value = node.tensors.get('value');
    if (value === undefined) throw refused(node, 'it has no value');
    return { kind: 'constant', ...value };
  },

  Identity: (_, node, [x]) => {
    if (x === undefined) throw refused(node, 'its input is missing');
    return x;
  },

  TopK: (importer, node, [x, count]) => {
    const value = activationOf(node, x);
    const isLargest = numberOf(node, 'largest', 1) === 1 && [-1, 1].includes(numberOf(node, 'axis', -1));
    if (!isLargest || constantOf(node, count).data[0] !== 1)
      throw refused(node, 'it is not the one largest score');
    importer.output = 'labels';
    importer.folded.push(node.name);
    return value;
  },
};
