/**
 * One ONNX file as three: what comes before the binary layers and what comes after them, for a runtime such as ONNX Runtime
 * Web, and the binary layers themselves, for this library. Nodes, constants and versions are copied as they stand in the
 * file, so operators that this library knows nothing of stay what they are.
 */

import { type BytesLike, plainBytes } from '../../bytes.ts';
import { FormatError, listed, OptionError } from '../../errors.ts';
import { assertKnownOptions } from '../../options.ts';
import { joinedBytes } from '../joined.ts';
import {
  type OnnxFiles,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  parseOnnx,
  parseValueInfo,
  type RawField,
  rawFields,
} from './container.ts';
import { type Field, message, typed } from './container-writer.ts';
import { importGraph, inferShapes, isSupported } from './read.ts';

/** A value that passes from one file to the next. */
export interface OnnxValue {
  /** Name in both files. */
  readonly name: string;
  /** As in ONNX, the batch first, 0 where it is open. */
  readonly dims: readonly number[];
  /** What each axis is, as `importOnnx` says it of the binary layers: `NCHW`, `NHWC`, `NC`. */
  readonly layout: string;
}

/** A network in three parts, with the binary layers in the middle. */
export interface OnnxSplit {
  /** What comes before: an ONNX file. Undefined where the network begins with the binary layers. */
  readonly head: Uint8Array<ArrayBuffer> | undefined;
  /** The binary layers: an ONNX file that `importOnnx` and `loadModel` read. */
  readonly binary: Uint8Array<ArrayBuffer>;
  /** What comes after. Undefined where the network ends with the binary layers. */
  readonly tail: Uint8Array<ArrayBuffer> | undefined;
  /** What the binary layers take: the head's output, or the network's input. */
  readonly input: OnnxValue;
  /** What they give: the tail's input, or the network's output. */
  readonly output: OnnxValue;
  /** Names of the nodes in each file; nodes that only make constants may be in several. */
  readonly nodes: Readonly<Record<'head' | 'binary' | 'tail', readonly string[]>>;
}

/** Where to cut, instead of around what is found to be binary. */
export interface OnnxSplitOptions {
  /** Name of the value that the binary layers take. */
  readonly from?: string;
  /** Name of the value that they give. */
  readonly to?: string;
  /** Files beside the model that its weights may be in, by name. */
  readonly files?: OnnxFiles;
}

/**
 * Takes the binary layers out of an ONNX file. Binary are products whose weights have one magnitude (in the whole tensor,
 * or in each of its channels), the signs that are taken before them, operators of QONNX, FINN and Brevitas, which other
 * runtimes lack, and whatever lies between two of those. They must be one piece: one value goes in, one comes out.
 *
 *   const { head, binary, tail } = splitOnnx(file);
 *
 * A value that goes around the binary layers becomes another output of the head and another input of the tail.
 * @throws FormatError where the file is damaged, has no binary layers, or they aren't one piece, naming what is in the way;
 *   OptionError where `from` or `to` is no value of the network
 */
export function splitOnnx(given: BytesLike, options: OnnxSplitOptions = {}): OnnxSplit {
  assertKnownOptions(options, ['from', 'to', 'files'], 'splitOnnx');
  const bytes = plainBytes(given, 'splitOnnx');
  const parsed = parseOnnx(bytes, options.files);
  const size = [...(options.files?.values() ?? [])].reduce((sum, { length }) => sum + length, bytes.length);
  const graph = new Dataflow(parsed);
  const piece = options.from || options.to ? between(graph, options) : binaryPiece(graph);
  const [input, output] = boundary(graph, piece);

  const before = graph.ancestors(piece);
  const ahead = new Set(graph.nodes.filter((node) => before.has(node) && !piece.has(node)));
  const rest = new Set(graph.nodes.filter((node) => !ahead.has(node) && !piece.has(node)));
  const made = (nodes: ReadonlySet<OnnxNode>) => new Set([...nodes].flatMap(({ outputs }) => outputs));
  const taken = (nodes: ReadonlySet<OnnxNode>) => new Set([...nodes].flatMap((node) => graph.inputsOf(node)));
  const [wanted, inTail] = [taken(rest), made(rest)];
  const results = new Set(graph.outputs.map(({ name }) => name));
  const isResult = (name: string) => results.has(name);

  const head = graph.part(
    ahead,
    graph.given,
    [...made(ahead)].filter((name) => name === input || wanted.has(name) || isResult(name)),
  );
  const binary = graph.part(piece, [input], [output]);
  const tail = graph.part(
    rest,
    [...wanted].filter((name) => !inTail.has(name)),
    [...inTail].filter(isResult),
  );

  const written = new Files(bytes, graph);
  const inputDims = written.dims.get(input) ?? inferShapes(parsed, size).get(input);
  if (inputDims === undefined || inputDims.length < 2) {
    throw new FormatError("The file doesn't say the shape of what the binary layers take.", {
      given: inputDims === undefined ? 'no shape' : `[${inputDims.join(', ')}]`,
      where: input,
      remedy: 'write the shapes into it, as onnx.shape_inference.infer_shapes of the ONNX package does',
    });
  }
  const dims = new Map([[input, inputDims]]);
  const file = written.file('binary', binary, dims);
  // What can't be read must be said here, and not when half of the network runs already.
  const network = importGraph(parseOnnx(file, options.files), size, {
    onValue: (name, own) => {
      if (name === output) dims.set(name, written.dims.get(name) ?? own);
    },
  });
  const [ins, outs] = [network.inputs[0], network.outputs[0]];
  const namesOf = ({ nodes }: Part) => [...nodes].map(({ name }) => name);
  return {
    head: ahead.size === 0 ? undefined : written.file('head', head, dims),
    binary: file,
    tail: rest.size === 0 ? undefined : written.file('tail', tail, dims),
    input: { name: input, dims: inputDims, layout: ins?.layout ?? '' },
    output: { name: output, dims: dims.get(output) ?? [], layout: outs?.layout ?? '' },
    nodes: { head: namesOf(head), binary: namesOf(binary), tail: namesOf(tail) },
  };
}

/** What goes into a file. */
interface Part {
  readonly nodes: ReadonlySet<OnnxNode>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** The nodes that depend on the network's input, and how values flow between them. */
class Dataflow {
  /** All, in the file's order. */
  readonly all: readonly OnnxNode[];
  /** Those of them that depend on the input. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: OnnxGraph['initializers'];
  readonly outputs: OnnxGraph['outputs'];
  /** Names of the network's inputs. */
  readonly given: readonly string[];
  /** What is known of constants: whether they have one magnitude. */
  readonly binary = new Map<string, boolean>();
  readonly #makers = new Map<string, OnnxNode>();
  readonly #active: Set<string>;

  constructor({ nodes, initializers, inputs, outputs }: OnnxGraph) {
    this.all = nodes;
    this.initializers = initializers;
    this.outputs = outputs;
    this.given = inputs.map(({ name }) => name).filter((name) => !initializers.has(name));
    this.#active = new Set(this.given);
    for (const node of nodes) {
      for (const name of node.outputs) this.#makers.set(name, node);
      if (node.inputs.some((name) => this.#active.has(name))) {
        for (const name of node.outputs) this.#active.add(name);
      }
    }
    this.nodes = nodes.filter((node) => this.inputsOf(node).length > 0);
  }

  /** The inputs of a node that depend on the network's input. */
  inputsOf(node: OnnxNode): readonly string[] {
    return node.inputs.filter((name) => this.#active.has(name));
  }

  isActive(name: string): boolean {
    return this.#active.has(name);
  }

  /** The node that makes a value; undefined for inputs and constants of the file. */
  maker(name: string): OnnxNode | undefined {
    return this.#makers.get(name);
  }

  /** Nodes with those that make their constants, in the file's order. */
  part(nodes: ReadonlySet<OnnxNode>, inputs: readonly string[], outputs: readonly string[]): Part {
    const found = new Set(nodes);
    const given = new Set(inputs);
    for (const node of found) {
      for (const name of node.inputs) {
        const maker = this.#makers.get(name);
        if (maker !== undefined && !given.has(name)) found.add(maker);
      }
    }
    return { nodes: new Set(this.all.filter((node) => found.has(node))), inputs, outputs };
  }

  /** Nodes that given ones depend on, and these. */
  ancestors(of: ReadonlySet<OnnxNode>): Set<OnnxNode> {
    const found = new Set(of);
    for (const node of found) {
      for (const name of this.inputsOf(node)) {
        const maker = this.#makers.get(name);
        if (maker !== undefined) found.add(maker);
      }
    }
    return found;
  }

  /** Nodes that depend on given ones, and these. */
  descendants(of: ReadonlySet<OnnxNode>): Set<OnnxNode> {
    const found = new Set(of);
    // The file's order is topological.
    for (const node of this.nodes) {
      const makers = this.inputsOf(node).map((name) => this.#makers.get(name));
      if (makers.some((maker) => maker !== undefined && found.has(maker))) found.add(node);
    }
    return found;
  }
}

const STANDARD = ['', 'ai.onnx'];
const CUSTOM = /^(qonnx|finn|onnx\.brevitas)/;
const PRODUCTS = ['Conv', 'MatMul', 'Gemm'];
/** What signs are made by, and what may stand between them and a product. */
const COMPARISONS = ['Sign', 'GreaterOrEqual', 'Greater', 'LessOrEqual', 'Less'];
const AROUND_SIGNS = [
  ...['Where', 'Cast', 'Not', 'Mul', 'Add', 'Sub', 'Identity'],
  ...['Pad', 'Flatten', 'Reshape', 'Transpose', 'MaxPool'],
];

/** What is found to be binary, with all that lies between. */
function binaryPiece(graph: Dataflow): Set<OnnxNode> {
  const seeds = new Set<OnnxNode>();
  const signs = signNodes(graph);
  for (const node of graph.nodes) {
    if (CUSTOM.test(node.domain)) seeds.add(node);
    if (!STANDARD.includes(node.domain) || !PRODUCTS.includes(node.operator)) continue;
    const [x = '', weights = ''] = node.inputs;
    if (graph.isActive(weights) || !isBinary(graph, weights)) continue;
    seeds.add(node);
    addSigns(graph, x, signs, seeds);
  }
  if (seeds.size === 0) {
    throw new FormatError('There are no binary layers in this file.', {
      given: `${graph.nodes.length} nodes`,
      expected: 'Conv, MatMul or Gemm with weights of one magnitude, or operators of QONNX, FINN or Brevitas',
      where: 'ONNX',
      remedy: 'name the values to cut at: splitOnnx(bytes, { from, to })',
    });
  }
  return closed(graph, seeds);
}

/** All that lies between nodes, with them. @throws FormatError where something in it only another runtime can run */
function closed(graph: Dataflow, seeds: ReadonlySet<OnnxNode>): Set<OnnxNode> {
  const after = graph.descendants(seeds);
  const piece = new Set([...graph.ancestors(seeds)].filter((node) => after.has(node)));
  const foreign = [...piece].find((node) => !isSupported(node));
  if (foreign !== undefined) {
    throw new FormatError('The binary layers are not one piece: between them is what this library has not.', {
      given: `${foreign.operator} (${foreign.name})`,
      where: foreign.name,
      remedy: 'name the values to cut at: splitOnnx(bytes, { from, to })',
    });
  }
  return new Set(graph.nodes.filter((node) => piece.has(node)));
}

/** What lies between two named values. */
function between(graph: Dataflow, { from, to }: OnnxSplitOptions): Set<OnnxNode> {
  for (const [option, name] of Object.entries({ from, to })) {
    if (name === undefined || graph.isActive(name)) continue;
    throw new OptionError('There is no such value in this network.', {
      given: `${option}: ${JSON.stringify(name)}`,
      expected: `one of ${listed([...graph.given, ...graph.nodes.flatMap(({ outputs }) => outputs)])}`,
      where: 'splitOnnx',
    });
  }
  const takes = graph.nodes.filter((node) => from === undefined || node.inputs.includes(from));
  const gives = graph.nodes.filter((node) => to === undefined || node.outputs.includes(to));
  const after = graph.descendants(new Set(takes));
  const before = graph.ancestors(new Set(gives));
  const piece = new Set(graph.nodes.filter((node) => after.has(node) && before.has(node)));
  if (piece.size === 0) {
    throw new OptionError('Nothing lies between these values.', {
      given: `from ${from ?? 'the input'} to ${to ?? 'the output'}`,
      where: 'splitOnnx',
    });
  }
  return closed(graph, piece);
}

/** The one value that goes into a piece, and the one that comes out. @throws FormatError */
function boundary(graph: Dataflow, piece: ReadonlySet<OnnxNode>): [input: string, output: string] {
  const made = new Set([...piece].flatMap(({ outputs }) => outputs));
  const inside = [...piece].flatMap((node) => graph.inputsOf(node));
  const outside = graph.nodes.filter((node) => !piece.has(node)).flatMap((node) => graph.inputsOf(node));
  const results = new Set([...outside, ...graph.outputs.map(({ name }) => name)]);
  const ins = [...new Set(inside.filter((name) => !made.has(name)))];
  const outs = [...made].filter((name) => results.has(name));
  const [input, output] = [ins[0], outs[0]];
  if (input === undefined || output === undefined || ins.length > 1 || outs.length > 1) {
    throw new FormatError('The binary layers are not one piece with one input and one output.', {
      given: `in: ${listed(ins)}; out: ${listed(outs)}`,
      where: [...piece][0]?.name,
      remedy: 'name the values to cut at: splitOnnx(bytes, { from, to })',
    });
  }
  return [input, output];
}

/** Comparisons that make signs, and what passes on nothing else. */
function signNodes(graph: Dataflow): ReadonlySet<OnnxNode> {
  const found = new Set<OnnxNode>();
  const isSigns = (name: string) => {
    const maker = graph.maker(name);
    return maker !== undefined && found.has(maker);
  };
  // The file's order is topological.
  for (const node of graph.nodes) {
    if (!STANDARD.includes(node.domain)) continue;
    const passes = AROUND_SIGNS.includes(node.operator) && graph.inputsOf(node).every(isSigns);
    if (passes || COMPARISONS.includes(node.operator)) found.add(node);
  }
  return found;
}

/** Adds the nodes from the comparisons that make a value to the one that gives it, if all of it are signs. */
function addSigns(graph: Dataflow, name: string, signs: ReadonlySet<OnnxNode>, found: Set<OnnxNode>): void {
  const names = [name];
  for (let next = names.pop(); next !== undefined; next = names.pop()) {
    const node = graph.maker(next);
    if (node === undefined || !signs.has(node) || found.has(node)) continue;
    found.add(node);
    if (!COMPARISONS.includes(node.operator)) names.push(...graph.inputsOf(node));
  }
}

/** Whether a constant is signs times one magnitude, or one a channel. */
function isBinary(graph: Dataflow, name: string): boolean {
  const known = graph.binary.get(name);
  if (known !== undefined) return known;
  const passed = [name];
  let own = isBinaryItself(graph, name);
  // A chain longer than all nodes is a circle.
  while (typeof own === 'string' && passed.length <= graph.all.length) {
    passed.push(own);
    own = graph.binary.get(own) ?? isBinaryItself(graph, own);
  }
  const result = own === true;
  for (const passedName of passed) graph.binary.set(passedName, result);
  return result;
}

/** The answer, or the name of the constant that has it. */
function isBinaryItself(graph: Dataflow, name: string): boolean | string {
  const tensor = graph.initializers.get(name);
  if (tensor !== undefined) return hasOneMagnitude(tensor);
  const node = graph.maker(name);
  if (node === undefined) return false;
  const [x = '', , , width = ''] = node.inputs;
  switch (node.operator) {
    case 'BipolarQuant':
    case 'Sign':
      return true;
    case 'Quant':
    case 'IntQuant':
      return graph.initializers.get(width)?.data[0] === 1;
    case 'Constant': {
      const value = node.tensors.get('value');
      return value !== undefined && hasOneMagnitude(value);
    }
    case 'Mul':
    case 'Div':
    case 'Transpose':
    case 'Reshape':
    case 'Identity':
      return x;
    default:
      return false;
  }
}

/** In all of a tensor, in each slice of its first axis (filters), or in each column of its last (a MatMul's). */
function hasOneMagnitude({ dims, data }: OnnxTensor): boolean {
  const hasBoth = data.some((value) => value > 0) && data.some((value) => value < 0);
  if (!hasBoth) return false;
  const columns = dims.at(-1) ?? 1;
  const slice = data.length / (dims[0] ?? 1);
  const groups: ((i: number) => number)[] = [() => 0];
  // One weight alone has one magnitude always.
  if (slice > 1) groups.push((i: number) => Math.floor(i / slice));
  if (dims.length === 2 && columns < data.length) groups.push((i: number) => i % columns);
  return groups.some((groupOf) => {
    const sizes = new Map<number, number>();
    return data.every((value, i) => {
      const size = Math.abs(value);
      const known = sizes.get(groupOf(i)) ?? size;
      sizes.set(groupOf(i), known);
      return size === known && size > 0;
    });
  });
}

/** Fields of ModelProto and GraphProto, by their numbers in onnx.proto3. */
const MODEL = { graph: 7 } as const;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12, value: 13 } as const;

/** Writes parts of a file, from the file's own bytes. */
class Files {
  /** Shapes that the file tells. */
  readonly dims = new Map<string, readonly number[]>();
  readonly #model: readonly RawField[];
  readonly #fields: readonly RawField[];
  /** Values that the file describes, by name. */
  readonly #infos = new Map<string, Uint8Array>();
  readonly #all: readonly OnnxNode[];

  constructor(bytes: Uint8Array, graph: Dataflow) {
    this.#model = rawFields(bytes);
    this.#fields = this.#model
      .filter(({ number }) => number === MODEL.graph)
      .flatMap(({ content }) => rawFields(content));
    this.#all = graph.all;
    for (const { number, content } of this.#fields) {
      if (number !== GRAPH.input && number !== GRAPH.output && number !== GRAPH.value) continue;
      const { name, dims } = parseValueInfo(content);
      this.#infos.set(name, content);
      if (dims.length > 0) this.dims.set(name, dims);
    }
  }

  /** The bytes of a file with this part of the graph. */
  file(name: string, part: Part, dims: ReadonlyMap<string, readonly number[]>): Uint8Array<ArrayBuffer> {
    const { nodes } = part;
    const used = new Set([...nodes].flatMap(({ inputs }) => inputs));
    const made = new Set([...nodes].flatMap(({ outputs }) => outputs));
    const given = new Set(part.inputs);
    const describe = (value: string): Uint8Array =>
      this.#infos.get(value) ?? typed({ name: value, dims: dims.get(value)?.slice(1) });
    let place = 0;
    const parts = this.#fields.flatMap(({ number, whole, content }): Uint8Array[] => {
      switch (number) {
        case GRAPH.node: {
          const node = this.#all[place++];
          return node !== undefined && nodes.has(node) ? [whole] : [];
        }
        case GRAPH.initializer:
          return used.has(initializerName(content)) ? [whole] : [];
        case GRAPH.value:
          return made.has(parseValueInfo(content).name) ? [whole] : [];
        case GRAPH.name:
        case GRAPH.input:
        case GRAPH.output:
          return [];
        default:
          return [whole];
      }
    });
    // Before version 4 of the format, constants were inputs too.
    const constants = this.#fields
      .filter(({ number }) => number === GRAPH.input)
      .map(({ content }) => parseValueInfo(content).name)
      .filter((input) => used.has(input) && !given.has(input) && !made.has(input));
    const head: Field[] = [[GRAPH.name, name]];
    for (const value of [...part.inputs, ...constants]) head.push([GRAPH.input, describe(value)]);
    for (const value of part.outputs) head.push([GRAPH.output, describe(value)]);
    const graph = joinedBytes([message(head), ...parts]);
    return joinedBytes([
      ...this.#model.filter(({ number }) => number !== MODEL.graph).map(({ whole }) => whole),
      message([[MODEL.graph, graph]]),
    ]);
  }
}

/** TensorProto's name. */
function initializerName(content: Uint8Array): string {
  const name = rawFields(content).find(({ number }) => number === 8);
  return name === undefined ? '' : new TextDecoder().decode(name.content);
}
