/** The reader: goes through the nodes of the file once, in order, and asks each operator's rule what becomes of it. */
import { type BytesLike, plainBytes } from '../../bytes.ts';
import { FormatError, listed, OptionError } from '../../errors.ts';
import { sizeOf } from '../../gpu/index.ts';
import { type GraphNode, input, type Model, model } from '../../graph/index.ts';
import { reshape } from '../../layers/index.ts';
import { assertKnownOptions } from '../../options.ts';
import { PIXEL_RANGES, type PixelEncoding } from '../../run/pixels.ts';
import { ARITHMETIC_RULES } from './arithmetic.ts';
import { COMPARISON_RULES } from './comparisons.ts';
import {
  ELEMENT,
  type OnnxFiles,
  type OnnxGraph,
  type OnnxNode,
  type OnnxValueInfo,
  parseOnnx,
} from './container.ts';
import { Importer, type Rule } from './importer.ts';
import { INTEGER_RULES } from './integers.ts';
import {
  annotatedLayout,
  CHANNELS_LAST_DOMAIN,
  channelsLastOrder,
  dimsIn,
  inputLayout,
  LAYOUTS,
  type OnnxLayout,
  placed,
  resultLayout,
  usualLayout,
} from './layout.ts';
import { POOL_RULES } from './pools.ts';
import { PRODUCT_RULES } from './products.ts';
import { QUANTIZATION_RULES } from './quantization.ts';
import { SHAPE_RULES } from './shapes.ts';
import { type Activation, activation, refused, type Value } from './values.ts';
import { withChannelsLast } from './views.ts';

/** What an ONNX file holds: a model, its values, and what the file says of itself. */
export interface OnnxNetwork {
  /** Its layers. */
  readonly model: Model;
  /** f32 by `layer/parameter`. */
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** `labels` where the file ends in a TopK: the model gives the scores, whose largest is the label. */
  readonly output: 'scores' | 'labels';
  /** What became of the nodes that are no layer any more. */
  readonly folded: readonly string[];
  /** What goes in, as the file has it. */
  readonly inputs: readonly OnnxEnd[];
  /** What comes out, as the file has it. */
  readonly outputs: readonly OnnxEnd[];
  /** How the input takes bytes, where its type or FINN's annotation say that it does: from 0 to 255. */
  readonly pixels: PixelEncoding | undefined;
  /** `metadata_props` of the file. */
  readonly metadata: ReadonlyMap<string, string>;
  /** What wrote the file, and its version. */
  readonly producer: string | undefined;
}

/** An input or an output as the file has it; the model's own are [height, width, channels], or one axis of features. */
export interface OnnxEnd {
  /** Name in the file. */
  readonly name: string;
  /** The batch first, 0 where it is open. */
  readonly dims: readonly number[];
  /** What each axis is: N the batch, C channels or features, H height, W width or length. `NCHW`, `NHWC`, `NC`. */
  readonly layout: string;
}

/** What is made of a node, by its operator. */
export const RULES: Readonly<Record<string, Rule>> = {
  ...ARITHMETIC_RULES,
  ...COMPARISON_RULES,
  ...POOL_RULES,
  ...PRODUCT_RULES,
  ...QUANTIZATION_RULES,
  ...INTEGER_RULES,
  ...SHAPE_RULES,
};

/** Of QONNX, with channels last. */
const CHANNELS_LAST_RULES: Readonly<Record<string, Rule>> = Object.fromEntries(
  ['Conv', 'MaxPool', 'BatchNormalization'].flatMap((operator) => {
    const rule = RULES[operator];
    return rule === undefined ? [] : [[operator, withChannelsLast(rule)]];
  }),
);

/** Where the operators of QONNX and FINN are defined, and the standard ones. */
const DOMAINS = [
  ...['', 'ai.onnx', 'qonnx.custom_op.general', 'finn.custom_op.general', 'onnx.brevitas'],
  // As the same operators were called in 2020 and 2021.
  ...['finn', 'qonnx'],
];
/** Inputs, and outputs, at most. */
const MOST_ENDS = 256;
/** Values of one sample, at most. */
const MOST_INPUTS = 2 ** 22;
/** Numbers that all nodes together may make while a file is read: these, and some more for each of its bytes. */
const FREE_NUMBERS = 2 ** 23;
const NUMBERS_A_BYTE = 8;

/** How an ONNX file is read. */
export interface OnnxImportOptions {
  /**
   * Shape of the input, for files that leave height and width open: [height, width, channels] or [features]; of several
   * inputs, by name.
   */
  readonly input?: readonly number[] | Readonly<Record<string, readonly number[]>>;
  /** Files beside the model that its weights may be in, by name. Nothing else is ever read. */
  readonly files?: OnnxFiles;
}

/**
 * Imports an ONNX file.
 *
 * What reading takes is bounded by the file's size. It holds at most 256 MB and 80 bytes for each byte of the file: numbers
 * are float64, and all nodes together may make eight of them a byte. It takes 20 ms for a megabyte of weights, and half a
 * second for one of nodes and names. A file has at most 32,768 nodes, 131,072 constants, 256 inputs and as many outputs,
 * and 4,096 layers.
 * @param bytes a Buffer or any other view
 * @returns a model that `Network.create(gpu, model, { values })` runs; images are [height, width, channels] whether the file
 *   has NCHW or NHWC, and everything else has the file's meaning. What `Sign` makes of 0 is +1, as binary networks have it.
 * @example const { model, values } = importOnnx(await readFile('model.onnx'));
 * @throws FormatError when the file is damaged, or naming the operators that aren't supported, before anything else;
 *   OptionError for options that don't exist or don't fit the file
 */
export function importOnnx(bytes: BytesLike, options: OnnxImportOptions = {}): OnnxNetwork {
  assertKnownOptions(options, ['input', 'files'], 'importOnnx');
  const own = plainBytes(bytes, 'importOnnx');
  const size = [...(options.files?.values() ?? [])].reduce((sum, { length }) => sum + length, own.length);
  return importGraph(parseOnnx(own, options.files), size, options);
}

interface GraphOptions {
  readonly input?: OnnxImportOptions['input'];
  /** Is told the shape of every value that depends on the input: dims of ONNX, the batch first. */
  readonly onValue?: OnValue;
}

/**
 * `importOnnx` of a file that was parsed.
 * @param size bytes of the file, which bound what reading it may take
 */
export function importGraph(graph: OnnxGraph, size: number, options: GraphOptions = {}): OnnxNetwork {
  const unsupported = graph.nodes.filter((node) => !isSupported(node));
  if (unsupported.length > 0) {
    throw new FormatError('This ONNX file has operators that are not supported.', {
      given: listed(
        unsupported.map(
          ({ operator, name, domain }) => `${domain === '' ? '' : `${domain}.`}${operator} (${name})`,
        ),
      ),
      expected: Object.keys(RULES).sort().join(', '),
      where: unsupported[0]?.name,
      remedy: 'cut the file around its binary layers: splitOnnx',
    });
  }
  return build(graph, FREE_NUMBERS + NUMBERS_A_BYTE * size, options);
}

type OnValue = (name: string, dims: readonly number[]) => void;

/** Whether there is a rule for a node's operator. */
export function isSupported(node: OnnxNode): boolean {
  return ruleOf(node) !== undefined;
}

function ruleOf({ operator, domain }: OnnxNode): Rule | undefined {
  if (domain === CHANNELS_LAST_DOMAIN) {
    return Object.hasOwn(CHANNELS_LAST_RULES, operator) ? CHANNELS_LAST_RULES[operator] : undefined;
  }
  return DOMAINS.includes(domain) && Object.hasOwn(RULES, operator) ? RULES[operator] : undefined;
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
    importGraph({ ...graph, nodes }, size, { onValue: (name, dims) => shapes.set(name, dims) });
  } catch (cause) {
    // What came before is known all the same.
    if (!(cause instanceof FormatError)) throw cause;
  }
  return shapes;
}

/** @param most constants, scales and shifts by channel, and parameters that may be made */
function build(
  graph: OnnxGraph,
  most: number,
  { input: asked, onValue = () => {} }: GraphOptions,
): OnnxNetwork {
  const { nodes, initializers, outputs, opset, metadata, producer } = graph;
  const importer = new Importer(opset, most);
  const names = new Map<string, Value>();
  /** Results that no rule makes, with their nodes. */
  const unmade = new Map<string, OnnxNode>();
  const layouts = new Map<string, OnnxLayout>();
  for (const [name, tensor] of initializers) names.set(name, { kind: 'constant', ...tensor });
  const starts = new Map<string, GraphNode>();
  const inputs = inputsOf(graph, asked).map(({ entry, dims, layout }): OnnxEnd => {
    const { name } = entry;
    const { shape, axes } = placed(layout, dims);
    const start = input(shape);
    starts.set(name, start);
    names.set(name, activation(start, dims, axes, shape, 'reals'));
    layouts.set(name, layout);
    onValue(name, dims);
    return { name, dims: openBatch(entry, dims), layout };
  });

  for (const node of nodes) {
    const values = node.inputs.map((name) => (name === '' ? undefined : named(names, unmade, name, node)));
    const rule = ruleOf(node);
    const [output] = node.outputs;
    if (rule === undefined || output === undefined) throw refused(node, 'it has no output');
    if (LABELS.includes(node.operator)) assertLast(graph, node);
    const value = rule(importer, node, values);
    if (!values.includes(value)) {
      importer.spend(node.name, value.kind === 'constant' ? value.data.length : 2 * value.scale.length);
    }
    const [first, ...more] = node.operator === 'TopK' ? node.outputs.slice(1) : node.outputs;
    if (first !== undefined) names.set(first, value);
    for (const name of more) if (name !== '') unmade.set(name, node);
    if (value.kind === 'activation' && first !== undefined) {
      const before = values.find((own) => own?.kind === 'activation')?.dims ?? [];
      const known = node.inputs.map((name) => layouts.get(name));
      layouts.set(first, resultLayout(node, known, before, value.dims));
      onValue(first, value.dims);
    }
  }

  const ends = new Map<string, GraphNode>();
  const results = outputs.map((entry): OnnxEnd => {
    const { name } = entry;
    const value = names.get(name);
    const maker = unmade.get(name);
    if (maker !== undefined) throw refused(maker, `its result ${JSON.stringify(name)} is not made here`);
    if (value?.kind !== 'activation') {
      throw new FormatError("The output doesn't depend on the input.", { given: name, where: name });
    }
    const said = annotatedLayout(graph, name);
    const layout = said?.length === value.dims.length ? said : (layouts.get(name) ?? '');
    const where = { name: outputs.length === 1 ? 'output' : `${name}_output` };
    ends.set(name, finished(importer, where, value, layout));
    return { name, dims: openBatch(entry, value.dims), layout };
  });
  const built = model({ input: endsOf(starts, 'input'), output: endsOf(ends, 'output'), name: 'ONNX' });
  return {
    model: built,
    values: importer.values,
    output: importer.output,
    folded: importer.folded,
    inputs: inOrderOf(built.inputs, inputs),
    outputs: inOrderOf(built.outputs, results),
    pixels: takesBytes(graph, inputs) ? PIXEL_RANGES['0:255'] : undefined,
    metadata,
    producer,
  };
}

/** Whether the file says that its only input are bytes: by their type, or by FINN's annotation. */
function takesBytes({ inputs, annotations }: OnnxGraph, ends: readonly OnnxEnd[]): boolean {
  const [only, ...more] = ends;
  const entry = inputs.find(({ name }) => name === only?.name);
  if (entry === undefined || more.length > 0) return false;
  const type = annotations.get(entry.name)?.get('finn_datatype');
  return type === undefined ? entry.type === ELEMENT.uint8 : type === 'UINT8';
}

/** Ends in the order in which the model has them; names that are numbers come first there. */
function inOrderOf(own: Model['inputs'], ends: readonly OnnxEnd[]): readonly OnnxEnd[] {
  const byName = new Map(ends.map((end) => [end.name, end]));
  return ends.length === 1 ? ends : own.flatMap(({ name }) => byName.get(name) ?? []);
}

/** One node under its usual name, several under the file's. */
function endsOf(nodes: ReadonlyMap<string, GraphNode>, usual: string): Readonly<Record<string, GraphNode>> {
  return Object.fromEntries([...nodes].map(([name, node]) => [nodes.size === 1 ? usual : name, node]));
}

/** A result with nothing pending and its axes in this library's order, as a layer. */
function finished(
  importer: Importer,
  where: { readonly name: string },
  value: Activation,
  layout: OnnxLayout,
): GraphNode {
  const plain = importer.scaled(where, importer.ordered(where, value));
  // Axes of extent 1 don't matter to who reads the output.
  const wanted = channelsLastOrder(layout);
  const moving = wanted
    .map((axis) => plain.axes[axis - 1] ?? -1)
    .filter((axis) => plain.shape[axis] !== 1 && axis >= 0);
  const isLast = moving.every((axis, place) => place === 0 || axis > (moving[place - 1] ?? 0));
  const { node, shape } = isLast ? plain : importer.arranged(where, plain, wanted);
  // An input that is an output as it is.
  return node.layer === undefined
    ? importer.layer(where.name, (name) => reshape({ name, shape }), node)
    : node;
}

/** What gives the place of the largest score instead of scores: the end of a network. */
const LABELS = ['TopK', 'ArgMax'];

/** @throws FormatError unless the places that a node gives are the only output */
function assertLast({ nodes, outputs }: OnnxGraph, node: OnnxNode): void {
  const places = node.outputs[node.operator === 'TopK' ? 1 : 0];
  if (node !== nodes.at(-1) || outputs.length !== 1 || outputs[0]?.name !== places) {
    throw refused(node, 'its indices are not the output');
  }
}

/** The network's inputs with their shapes. @throws FormatError where there is none, or no output */
function inputsOf(graph: OnnxGraph, asked: GraphOptions['input']): InputShape[] {
  const entries = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const { outputs } = graph;
  const namesOf = (values: readonly OnnxValueInfo[]) => listed(values.map(({ name }) => name)) || 'none';
  const differ = (values: readonly OnnxValueInfo[]) =>
    new Set(values.map(({ name }) => name)).size === values.length;
  const isFew = [entries, outputs].every(({ length }) => length > 0 && length <= MOST_ENDS);
  if (!isFew || !differ(entries) || !differ(outputs)) {
    throw new FormatError('A network has an input and an output.', {
      given: `inputs: ${namesOf(entries)}; outputs: ${namesOf(outputs)}`,
      expected: `1 to ${MOST_ENDS} of each, with names that differ`,
      where: 'ONNX',
    });
  }
  const byName: Readonly<Record<string, readonly number[]>> =
    asked === undefined
      ? {}
      : Array.isArray(asked)
        ? { [entries[0]?.name ?? '']: asked as readonly number[] }
        : (asked as Readonly<Record<string, readonly number[]>>);
  const isOfSeveral = Array.isArray(asked) && entries.length > 1;
  const odd = Object.keys(byName).find((name) => entries.every((entry) => entry.name !== name));
  if (isOfSeveral || odd !== undefined) {
    throw new OptionError(isOfSeveral ? 'This network has several inputs.' : 'There is no such input.', {
      given: odd ?? 'one shape',
      expected: `shapes by name: ${namesOf(entries)}`,
      where: 'importOnnx: input',
    });
  }
  return entries.map((entry) =>
    inputOf(graph, entry, Object.hasOwn(byName, entry.name) ? byName[entry.name] : undefined),
  );
}

interface InputShape {
  readonly entry: OnnxValueInfo;
  readonly dims: readonly number[];
  readonly layout: OnnxLayout;
}

/** Dims as the file has them: 0 for an open batch. */
function openBatch(
  { dims: said }: OnnxValueInfo,
  [batch = 0, ...rest]: readonly number[],
): readonly number[] {
  return [(said[0] ?? 0) > 0 ? batch : 0, ...rest];
}

/** Shape and axes of an input: what the file says, completed by what was asked for. */
function inputOf(graph: OnnxGraph, entry: OnnxValueInfo, asked: readonly number[] | undefined): InputShape {
  // An open batch is one sample.
  const said = entry.dims.map((extent, axis) => (extent > 0 ? extent : axis === 0 ? 1 : 0));
  if (asked !== undefined) return completed(graph, entry, said, asked);
  const isOpen = said.length === 0 || said.some((extent) => extent === 0);
  const isShape = said.every((extent) => Number.isSafeInteger(extent));
  if (isOpen || said.length < 2 || said.length > 5 || !isShape || sizeOf(said.slice(1)) > MOST_INPUTS) {
    const shown = entry.dims.map((extent, axis) =>
      extent > 0 ? `${extent}` : axis === 0 ? 'batch' : 'open',
    );
    throw new FormatError(
      isOpen ? "The file doesn't say the shape of its input." : "The input's shape doesn't fit.",
      {
        given: said.length === 0 ? 'no shape' : `[${listed(shown)}]`,
        expected: `[batch, channels, height, width], [batch, height, width, channels] or [batch, features], ${MOST_INPUTS} values at most`,
        where: entry.name,
        ...(isOpen
          ? {
              remedy:
                'say it: loadModel(file, { input: [height, width, channels] }), and importOnnx likewise; or export the model with a fixed height and width, and nothing but the batch dynamic',
            }
          : {}),
      },
    );
  }
  return { entry, dims: said, layout: inputLayout(graph, entry, said) };
}

/** The first order of axes in which the shape that was asked for is what the file says. */
function completed(
  graph: OnnxGraph,
  entry: OnnxValueInfo,
  said: readonly number[],
  asked: readonly number[],
): InputShape {
  const isShape =
    Array.isArray(asked) &&
    [1, 3].includes(asked.length) &&
    asked.every((own) => Number.isSafeInteger(own) && own > 0);
  if (!isShape || sizeOf(asked) > MOST_INPUTS) {
    throw new OptionError('This is no shape of an input.', {
      given: Array.isArray(asked) ? `[${listed(asked)}]` : typeof asked,
      expected: `[height, width, channels] or [features], ${MOST_INPUTS} values at most`,
      where: 'importOnnx: input',
    });
  }
  const rank = said.length === 0 ? asked.length + 1 : said.length;
  const likely = inputLayout(graph, entry, dimsIn(usualLayout(rank), asked) ?? said);
  for (const layout of [likely, ...LAYOUTS.filter((own) => own.length === rank)]) {
    const dims = dimsIn(layout, asked);
    if (dims === undefined) continue;
    const own = [said[0] || 1, ...dims.slice(1)];
    if (said.every((extent, axis) => extent === 0 || extent === own[axis]))
      return { entry, dims: own, layout };
  }
  throw new OptionError("This shape isn't what the file says of its input.", {
    given: `[${asked.join(', ')}]`,
    expected: `[${listed(said.map((extent, axis) => (axis === 0 ? 'batch' : extent || 'open')))}]`,
    where: `importOnnx: input ${entry.name}`,
  });
}

function named(
  names: ReadonlyMap<string, Value>,
  unmade: ReadonlyMap<string, OnnxNode>,
  name: string,
  node: OnnxNode,
): Value {
  const value = names.get(name);
  if (value === undefined) {
    const maker = unmade.get(name);
    if (maker !== undefined) throw refused(maker, `its result ${JSON.stringify(name)} is not made here`);
    throw refused(node, `its input ${JSON.stringify(name)} comes from nowhere before it`);
  }
  return value;
}
