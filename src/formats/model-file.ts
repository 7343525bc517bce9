/**
 * This library's own model file: a safetensors file with a tensor for each parameter, by `layer/parameter`. Binary ones
 * are packed, one bit a weight (U32, [..., words]; LSB first along the last axis, bit 1 = −1, zeros at a row's end), the
 * others F32: the tensors take the bytes that `model.summary()` says. The metadata holds the graph as JSON.
 */

import { type Bytes, type BytesLike, plainBytes } from '../bytes.ts';
import { BnnError, FormatError, OptionError } from '../errors.ts';
import { describe, type Shape, wordsFor } from '../gpu/index.ts';
import {
  apply,
  assertValue,
  floatValue,
  type GraphNode,
  input,
  type Model,
  type ModelInput,
  type ModelOutput,
  model,
  type ParameterValue,
  type ParameterValues,
  packedValue,
} from '../graph/index.ts';
import { parseJson } from '../json.ts';
import type { Guest, MakeLayer } from '../layers/common.ts';
import { type ParameterSpec, renamed } from '../layers/layer.ts';
import { loadMaker } from '../layers/load.ts';
import { makerOfAll } from '../layers/registry.ts';
import { notedConfig } from '../methods/note.ts';
import { npx } from '../npx.ts';
import { assertModel } from '../options.ts';
import {
  decodeNotes,
  encodeNotes,
  layoutOf,
  type ModelNotes,
  type ReadNotes,
  renamedNotes,
} from './notes.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsFile,
  type SafetensorsInput,
  type SafetensorsTensor,
} from './safetensors.ts';

/** A model file as it was read. */
export interface StoredModel extends ReadNotes {
  /** Its layers. */
  readonly model: Model;
  /** Binary parameters are packed signs. */
  readonly values: ReadonlyMap<string, ParameterValue>;
}

const KIND = 'webgpu-bnn model';
const VERSION = '1';
/** More layers than any network has: what walks along a graph may take the square of their number. */
const MOST_LAYERS = 4096;

/** The graph as a file has it. */
export interface ModelDescription {
  /** What it is called. */
  readonly name: string;
  /** Shape of the first input, without the batch. */
  readonly input: Shape;
  /** Each after its inputs; where no outputs are named, the last one is it. */
  readonly layers: readonly LayerDescription[];
  /** All inputs, where there are several or the only one has a name of its own. */
  readonly inputs?: readonly ModelInput[];
  /** All outputs, where there are several or the only one has a name of its own. */
  readonly outputs?: readonly Pick<ModelOutput, 'name' | 'from'>[];
}

export interface LayerDescription {
  readonly name: string;
  readonly kind: string;
  /** Options of the factory, without the name. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Indices of layers before it; −1 for the model's first input, −2 for its second, and so on. */
  readonly inputs: readonly number[];
}

/**
 * Writes a model with its weights. Latent weights are reduced to their signs: what is read back runs the same and can't
 * go on training as if nothing had happened (checkpoints can).
 * @throws FormatError when a value is missing, ShapeError when one doesn't fit, OptionError when a layer's configuration
 *   can't be said in JSON
 * @example
 * ```ts
 * import { encodeModel, initialValues, mlp } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const file = encodeModel(network, initialValues(network, 1)); // one bit a weight
 * ```
 */
export function encodeModel(
  source: Model,
  values: ParameterValues,
  notes: ModelNotes = {},
): Uint8Array<ArrayBuffer> {
  assertModel(source, 'encodeModel', values);
  const tensors: Record<string, SafetensorsInput> = {};
  for (const { name, parameters } of source.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const value = values.get(key);
      if (value === undefined) throw new FormatError('A parameter is missing.', { given: key });
      assertValue(value, spec, key);
      tensors[key] =
        spec.role === 'binary'
          ? {
              dtype: 'U32',
              shape: storedShape(spec),
              data: packedValue(value, spec.shape, key, spec.quantizer).words,
            }
          : { dtype: 'F32', shape: spec.shape, data: floatValue(value, spec.shape, key) };
    }
  }
  return encodeSafetensors(tensors, {
    kind: KIND,
    version: VERSION,
    model: JSON.stringify(describeModel(source)),
    ...encodeNotes(notes, layoutOf(source.inputShape, 'NHWC')),
  });
}

/**
 * The graph of a model as plain JSON: what a model file says of it, and `webgpu-bnn train --model model.json` takes.
 * @throws OptionError when a layer's configuration can't be said in JSON
 */
export function describeModel(source: Model): ModelDescription {
  return {
    name: source.name,
    input: source.inputShape,
    layers: source.layers.map(({ name, layer, inputs }) => ({
      name,
      kind: layer.kind,
      config: plainConfig(layer.config, name),
      inputs,
    })),
    ...(namesOf(source.inputs) === 'input' ? {} : { inputs: source.inputs }),
    ...(namesOf(source.outputs) === 'output'
      ? {}
      : { outputs: source.outputs.map(({ name, from }) => ({ name, from })) }),
  };
}

/**
 * The model that a description is of; layers and quantizers that few networks have are loaded where it names them.
 * @param description as `describeModel` gives it: nothing of it is taken for granted
 * @param where its file, for errors
 * @throws FormatError for what describes no model
 */
export async function modelOfDescription(
  description: unknown,
  where = 'model',
  options: ReadOptions = {},
): Promise<Model> {
  const parsed = parseDescription(description, where);
  return buildModel(parsed, await loadMaker(parsed.layers, options.with ?? []), where);
}

/**
 * Reads a model file. Everything is checked against the graph that the file describes before it is handed out.
 * @param where the file's name, for errors
 * @param options.with factories of layers and quantizers that aren't this library's own
 * @throws FormatError for a file that is damaged, no model of this library, or has layers that aren't known here
 * @example
 * ```ts
 * import { decodeModel, encodeModel, initialValues, mlp } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const { model } = decodeModel(encodeModel(network, initialValues(network, 1)));
 * console.log(model.inputShape);
 * ```
 */
export function decodeModel(bytes: BytesLike, where = 'model file', options: ReadOptions = {}): StoredModel {
  const parsed = parseFile(plainBytes(bytes, where), where);
  return buildStored(parsed, makerOfAll(options.with ?? []), where);
}

/** `decodeModel` that loads the layers and quantizers which most networks don't have only if the file has them. */
export async function readModelFile(
  bytes: Bytes,
  where: string,
  options: ReadOptions = {},
): Promise<StoredModel> {
  const parsed = parseFile(bytes, where);
  return buildStored(parsed, await loadMaker(parsed.description.layers, options.with ?? []), where);
}

/** How a file is read: with layers and quantizers of your own. */
export interface ReadOptions {
  /**
   * What makes the layers and quantizers that aren't this library's own: files name a layer by its `kind` and keep its
   * `config`, in which a quantizer is a name with numbers; they never hold code.
   */
  readonly with?: readonly Guest[] | undefined;
}

/** What a file says before a model is made of it. */
interface ParsedFile extends SafetensorsFile {
  readonly description: ModelDescription;
}

function parseFile(bytes: Bytes, where: string): ParsedFile {
  const { tensors, metadata } = decodeSafetensors(bytes, where);
  if (metadata.kind !== KIND || metadata.version !== VERSION) {
    throw new FormatError('This safetensors file is no model of webgpu-bnn.', {
      given: `kind "${metadata.kind ?? 'none'}", version ${metadata.version ?? 'none'}`,
      expected: `kind "${KIND}", version ${VERSION}`,
      where,
      remedy:
        metadata.kind === 'webgpu-bnn checkpoint'
          ? `make a model of this checkpoint: ${npx('convert RUN model.safetensors')}`
          : `export the network that these tensors are of as ONNX; tensors alone can be measured: ${npx('geometry FILE')}`,
    });
  }
  const description = parseDescription(parsed(metadata.model, 'model', where), where);
  return { tensors, metadata, description };
}

function buildStored(
  { tensors, metadata, description }: ParsedFile,
  make: MakeLayer,
  where: string,
): StoredModel {
  const built = buildModel(description, make, where);
  const values = readValues(built, tensors, where);
  const notes = decodeNotes(renamedNotes(metadata), where, built.outputShape.at(-1));
  return { model: built, values, ...notes };
}

function namesOf(ends: readonly ModelInput[]): string {
  return ends.map(({ name }) => name).join();
}

/** Shape of a packed parameter in words. */
function storedShape({ shape }: ParameterSpec): Shape {
  return [...shape.slice(0, -1), wordsFor(shape.at(-1) ?? 1)];
}

/** A layer's configuration without its name. @throws OptionError unless JSON keeps it as it is */
function plainConfig(config: Readonly<Record<string, unknown>>, where: string): Record<string, unknown> {
  const { name: _, ...rest } = notedConfig(config);
  for (const [key, value] of Object.entries(rest)) {
    if (value !== undefined && !isPlain(value)) {
      throw new OptionError("A layer's option can't be written to a file.", {
        given: `${key} = ${String(value)}`,
        expected: 'finite numbers, strings, booleans, and lists and objects of them',
        where,
      });
    }
  }
  return rest;
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every((entry) => entry === undefined || isPlain(entry))
  );
}

function buildModel(description: ModelDescription, makeLayer: MakeLayer, where: string): Model {
  const { name, input: shape, layers, inputs = [{ name: 'input', shape }] } = description;
  const { outputs = [{ name: 'output', from: layers.length - 1 }] } = description;
  const starts = inputs.map((own) => [own.name, input(own.shape)] as const);
  const nodes: GraphNode[] = [];
  const nodeAt = (from: number): GraphNode => {
    const node = nodes[from] ?? starts[-1 - from]?.[1];
    if (node === undefined) throw malformed(where, `there is no layer or input ${from}`);
    return node;
  };
  try {
    for (const [index, layer] of layers.entries()) {
      if (layer.inputs.some((from) => from >= index)) throw malformed(`${where}: ${layer.name}`, 'a circle');
      const made = makeLayer(layer.kind, { ...layer.config, name: layer.name }, `${where}: ${layer.name}`);
      // A layer of one's own may not take its name from the config.
      nodes.push(apply(renamed(made, layer.name), ...layer.inputs.map(nodeAt)));
    }
    const output = new Map(outputs.map((own) => [own.name, nodeAt(own.from)] as const));
    const built = model({ input: new Map(starts), output, name });
    if (built.layers.length !== layers.length) throw malformed(where, 'layers that lead nowhere');
    if (built.inputs.length !== inputs.length || built.outputs.length !== outputs.length) {
      throw malformed(where, 'two inputs or outputs of one name');
    }
    return built;
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    // What a layer says of its own configuration, or what stumbled over one that is no configuration at all.
    throw new FormatError("The file's layers don't make a model.", {
      given: cause instanceof BnnError ? `${cause.what} ${cause.given ?? ''}`.trim() : String(cause),
      where: cause instanceof BnnError && cause.where !== undefined ? `${where}: ${cause.where}` : where,
      remedy: cause instanceof BnnError ? cause.remedy : undefined,
      cause,
    });
  }
}

function parseDescription(value: unknown, where: string): ModelDescription {
  if (!isObject(value)) throw malformed(where, typeof value);
  const { name, input: shape, layers } = value;
  if (typeof name !== 'string') throw malformed(where, 'no name');
  if (!isShape(shape)) throw malformed(where, `input ${JSON.stringify(shape)?.slice(0, 80)}`);
  const { inputs, outputs } = value;
  const areEnds = (ends: unknown, isEnd: (end: Record<string, unknown>) => boolean) =>
    ends === undefined ||
    (Array.isArray(ends) &&
      ends.length > 0 &&
      ends.length <= MOST_LAYERS &&
      ends.every((end) => isObject(end) && typeof end.name === 'string' && isEnd(end)));
  if (!areEnds(inputs, (end) => isShape(end.shape))) {
    throw malformed(where, `inputs ${JSON.stringify(inputs)?.slice(0, 80)}`);
  }
  if (!areEnds(outputs, (end) => Number.isSafeInteger(end.from))) {
    throw malformed(where, `outputs ${JSON.stringify(outputs)?.slice(0, 80)}`);
  }
  if (!Array.isArray(layers) || layers.length === 0) throw malformed(where, 'no layers');
  if (layers.length > MOST_LAYERS)
    throw malformed(where, `${layers.length} layers, at most ${MOST_LAYERS} are read`);
  for (const layer of layers as unknown[]) {
    const isLayer =
      isObject(layer) &&
      typeof layer.name === 'string' &&
      typeof layer.kind === 'string' &&
      isObject(layer.config) &&
      Array.isArray(layer.inputs) &&
      layer.inputs.length > 0 &&
      layer.inputs.every((from) => Number.isSafeInteger(from));
    if (!isLayer) throw malformed(where, `layer ${JSON.stringify(layer)?.slice(0, 80)}`);
  }
  return {
    ...{ name, input: shape, layers: layers as LayerDescription[] },
    ...(inputs === undefined ? {} : { inputs: inputs as ModelInput[] }),
    ...(outputs === undefined ? {} : { outputs: outputs as NonNullable<ModelDescription['outputs']> }),
  };
}

function isShape(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent > 0);
}

function readValues(
  built: Model,
  tensors: ReadonlyMap<string, SafetensorsTensor>,
  where: string,
): Map<string, ParameterValue> {
  const values = new Map<string, ParameterValue>();
  for (const { name, parameters } of built.layers) {
    for (const spec of parameters) {
      const key = `${name}/${spec.name}`;
      const tensor = tensors.get(key);
      const isBinary = spec.role === 'binary';
      const [dtype, shape] = isBinary ? ['U32', storedShape(spec)] : ['F32', spec.shape];
      if (tensor?.dtype !== dtype || describe(tensor.shape) !== describe(shape)) {
        throw new FormatError("A tensor doesn't fit the model that the file describes.", {
          given: tensor === undefined ? 'no such tensor' : `${tensor.dtype} ${describe(tensor.shape)}`,
          expected: `${dtype} ${describe(shape)}`,
          where: `${where}: ${key}`,
        });
      }
      const value =
        tensor.data instanceof Uint32Array ? { words: tensor.data, shape: spec.shape } : tensor.data;
      try {
        assertValue(value as ParameterValue, spec, key);
      } catch (cause) {
        const given = cause instanceof BnnError ? cause.what : String(cause);
        throw new FormatError('A tensor of this file is damaged.', {
          given,
          where: `${where}: ${key}`,
          cause,
        });
      }
      values.set(key, value as ParameterValue);
    }
  }
  const unknown = [...tensors.keys()].find((name) => !values.has(name));
  if (unknown !== undefined) {
    throw new FormatError('The file has a tensor that no layer of its model uses.', {
      given: unknown,
      where,
    });
  }
  return values;
}

function parsed(text: string | undefined, key: string, where: string): unknown {
  try {
    return parseJson(text ?? '');
  } catch (cause) {
    throw new FormatError("The file's metadata is malformed.", {
      given: `${key}: ${text?.slice(0, 80) ?? 'nothing'}`,
      expected: 'JSON',
      where,
      cause,
    });
  }
}

function malformed(where: string, given: string): FormatError {
  return new FormatError('The description of the model is malformed.', {
    given,
    expected: '{name, input, layers: [{name, kind, config, inputs}]}',
    where,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
