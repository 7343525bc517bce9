/** The reader: goes through the nodes of the file once, in order, and asks each operator's rule what becomes of it. */
import { FormatError } from '../../errors.ts';
import { sizeOf } from '../../gpu/index.ts';
import { input, type Model, model } from '../../graph/index.ts';
import { ARITHMETIC_RULES } from './arithmetic.ts';
import { COMPARISON_RULES } from './comparisons.ts';
import { type OnnxGraph, type OnnxNode, parseOnnx } from './container.ts';
import { Importer, type Rule } from './importer.ts';
import { POOL_RULES } from './pools.ts';
import { PRODUCT_RULES } from './products.ts';
import { QUANTIZATION_RULES } from './quantization.ts';
import { SHAPE_RULES } from './shapes.ts';
import { activation, channelsLast, refused, type Value } from './values.ts';

export interface OnnxNetwork {
  readonly model: Model;
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** `labels` where the file ends in a TopK: the model gives the scores, whose largest is the label. */
  readonly output: 'scores' | 'labels';
  /** What became of the nodes that are no layer any more. */
  readonly folded: readonly string[];
}

const RULES: Readonly<Record<string, Rule>> = {
  ...ARITHMETIC_RULES,
  ...COMPARISON_RULES,
  ...POOL_RULES,
  ...PRODUCT_RULES,
  ...QUANTIZATION_RULES,
  ...SHAPE_RULES,
};

/** Where the operators of QONNX and FINN are defined, and the standard ones. */
const DOMAINS = ['', 'ai.onnx', 'qonnx.custom_op.general', 'finn.custom_op.general', 'onnx.brevitas'];
/** Values of one sample, at most. */
const MOST_INPUTS = 2 ** 22;
/** Numbers that all nodes together may make while a file is read: these, and some more for each of its bytes. */
const FREE_NUMBERS = 2 ** 23;
const NUMBERS_A_BYTE = 8;

/**
 * Imports an ONNX file.
 * @returns a model that `Network.create(gpu, model, { values })` runs; images are NHWC where the file has NCHW, and
 *   everything else has the file's meaning. What `Sign` makes of 0 is +1, as binary networks have it.
 * @throws FormatError when the file is damaged, or listing every operator that isn't supported, before anything else
 */
export function importOnnx(bytes: Uint8Array): OnnxNetwork {
  return importGraph(parseOnnx(bytes), bytes.length);
}

/**
 * `importOnnx` of a file that was parsed.
 * @param size bytes of the file, which bound what reading it may take
 * @param onValue is told the shape of every value that depends on the input: dims of ONNX, the batch first
 */
export function importGraph(graph: OnnxGraph, size: number, onValue?: OnValue): OnnxNetwork {
  const unsupported = graph.nodes.filter((node) => !isSupported(node));
  if (unsupported.length > 0) {
    throw new FormatError('This ONNX file has operators that are not supported.', {
      given: unsupported
        .map(({ operator, name, domain }) => `${domain === '' ? '' : `${domain}.`}${operator} (${name})`)
        .join(', '),
      expected: Object.keys(RULES).sort().join(', '),
      where: unsupported[0]?.name,
    });
  }
  return build(graph, FREE_NUMBERS + NUMBERS_A_BYTE * size, onValue);
}

type OnValue = (name: string, dims: readonly number[]) => void;

/** Whether there is a rule for a node's operator. */
export function isSupported({ operator, domain }: OnnxNode): boolean {
  return Object.hasOwn(RULES, operator) && DOMAINS.includes(domain);
}

/**
 * Shapes of the values that depend on the input, as far as reading the nodes tells them: up to the first operator that has
 * no rule.
 * @returns dims of ONNX, the batch first, by name
 */
export function inferShapes(graph: OnnxGraph, size: number): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const known = graph.nodes.findIndex((node) => !isSupported(node));
  const nodes = known < 0 ? graph.nodes : graph.nodes.slice(0, known);
  try {
    importGraph({ ...graph, nodes }, size, (name, dims) => shapes.set(name, dims));
  } catch (cause) {
    // What came before is known all the same.
    if (!(cause instanceof FormatError)) throw cause;
  }
  return shapes;
}

/** @param most constants, and scales and shifts by channel, that may be made */
function build(
  { nodes, initializers, inputs, outputs, opset }: OnnxGraph,
  most: number,
  onValue: OnValue = () => {},
): OnnxNetwork {
  const importer = new Importer(opset);
  const names = new Map<string, Value>();
  for (const [name, tensor] of initializers) names.set(name, { kind: 'constant', ...tensor });
  const given = inputs.filter(({ name }) => !initializers.has(name));
  const [only] = given;
  const [result] = outputs;
  if (only === undefined || given.length !== 1 || result === undefined || outputs.length !== 1) {
    throw new FormatError('A network has one input and one output.', {
      given: `${given.length} inputs, ${outputs.length} outputs`,
      where: 'ONNX',
    });
  }
  // An open batch is one sample.
  const dims = [only.dims[0] || 1, ...only.dims.slice(1)];
  const { axes, shapeOf } = channelsLast(dims.length);
  const shape = shapeOf(dims);
  const isShape = dims.every((extent) => Number.isSafeInteger(extent) && extent > 0);
  if (dims.length < 2 || dims.length > 5 || !isShape || sizeOf(shape) > MOST_INPUTS) {
    throw new FormatError("The input's shape doesn't fit.", {
      given: `[${only.dims.join(', ')}]`,
      expected: '[batch, channels, height, width] or [batch, features]',
      where: only.name,
    });
  }
  const start = input(shape);
  names.set(only.name, activation(start, dims, axes, shape, 'reals'));
  onValue(only.name, dims);

  let made = 0;
  for (const node of nodes) {
    const values = node.inputs.map((name) => (name === '' ? undefined : named(names, name, node)));
    const rule = RULES[node.operator];
    const [output] = node.outputs;
    if (rule === undefined || output === undefined) throw refused(node, 'it has no output');
    if (node.operator === 'TopK' && (node !== nodes.at(-1) || node.outputs[1] !== result.name)) {
      throw refused(node, 'its indices are not the output');
    }
    const value = rule(importer, node, values);
    made += values.includes(value)
      ? 0
      : value.kind === 'constant'
        ? value.data.length
        : 2 * value.scale.length;
    if (made > most) throw refused(node, `more than ${most} numbers would be made while reading`);
    for (const name of node.outputs) {
      names.set(name, value);
      if (value.kind === 'activation') onValue(name, value.dims);
    }
  }
  const last = names.get(result.name);
  if (last?.kind !== 'activation') {
    throw new FormatError("The output doesn't depend on the input.", { where: result.name });
  }
  const where = { name: 'output' };
  const plain = importer.scaled(where, importer.ordered(where, last));
  // Axes of extent 1 don't matter to who reads the output.
  const wanted = plain.dims.slice(2).map((_, axis) => axis + 2);
  const moving = [...wanted, 1]
    .map((axis) => plain.axes[axis - 1] ?? -1)
    .filter((axis) => plain.shape[axis] !== 1 && axis >= 0);
  const isLast = moving.every((axis, place) => place === 0 || axis > (moving[place - 1] ?? 0));
  const { node } = isLast ? plain : importer.arranged(where, plain, [...wanted, 1]);
  const built = model({ input: start, output: node, name: 'ONNX' });
  return { model: built, values: importer.values, output: importer.output, folded: importer.folded };
}

function named(names: ReadonlyMap<string, Value>, name: string, node: OnnxNode): Value {
  const value = names.get(name);
  if (value === undefined) {
    throw refused(node, `its input ${JSON.stringify(name)} comes from nowhere before it`);
  }
  return value;
}
