/** The importer of `.tflite` networks: from the container to this library's layers. */
import { type BytesLike, plainBytes } from '../../bytes.ts';
import { BnnError, FormatError, listed } from '../../errors.ts';
import { sizeOf } from '../../gpu/index.ts';
import { type GraphNode, input, type Model, model, type ParameterValue } from '../../graph/index.ts';
import { sign } from '../../layers/plain.ts';
import type { PixelEncoding } from '../../run/pixels.ts';
import { CONSTANT_KINDS, foldConstant } from './constants.ts';
import { parseTflite, type TfliteFile, type TfliteOperator } from './container.ts';
import { type Grid, Importer, type Rule, type Value } from './importer.ts';
import { LARQ_RULES, packedSigns, unpackedInput } from './larq.ts';
import { POINTWISE_RULES } from './pointwise.ts';
import { refused, shapeText } from './refused.ts';
import { TENSOR_TYPE, tensorTypeName } from './schema.ts';
import { STANDARD_RULES } from './standard.ts';

/** What the numbers at an end of a network mean. */
export interface TfliteEnd {
  /** As the model calls it: the tensor's name in the file, made unique. */
  readonly name: string;
  /**
   * `int8`: the integers themselves, as f32. `bool`: 0 and 1. `signs`: −1 and +1; in the file they are int32 words of 32
   * channels each.
   */
  readonly type: Value['type'];
  /** int8 only: real = scale·(integer − zeroPoint). */
  readonly grid: Grid | undefined;
}

/** What a TensorFlow Lite file holds. */
export interface TfliteNetwork {
  /** Its layers. */
  readonly model: Model;
  /** Binary weights are packed signs. */
  readonly values: ReadonlyMap<string, ParameterValue>;
  /** In the order of `model.inputs`. */
  readonly inputs: readonly TfliteEnd[];
  /** In the order of `model.outputs`. */
  readonly outputs: readonly TfliteEnd[];
  /** The first of `inputs`. */
  readonly input: TfliteEnd;
  /** The first of `outputs`. */
  readonly output: TfliteEnd;
  /** A single int8 input only: bytes of an image, as reals from 0 to 1, to the file's integers. */
  readonly pixels: PixelEncoding | undefined;
  /** Texts that the file carries, by name; others, and those beyond 1 MB, are left out. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Operators of the file that are no layer any more. */
  readonly folded: readonly string[];
}

/** Larger inputs are refused. */
const MOST_ELEMENTS = 2 ** 26;
/** Characters of a tensor's name that are kept. */
const MOST_CHARACTERS = 200;
/** What is made of an operator, by its name. */
export const RULES: Readonly<Record<string, Rule>> = { ...LARQ_RULES, ...STANDARD_RULES, ...POINTWISE_RULES };
const FILE = 'TensorFlow Lite';

/**
 * Imports a `.tflite` file, of Larq Compute Engine or plain, in float32 and int8. Operators on constants are evaluated: the
 * shape of a batch, weights in half floats.
 *
 * Results are those of the reference kernels: packed signs to the bit; float32 to the rounding of f32. int8 results are the
 * integer nearest to the quotient as f32 arithmetic has it: where the exact quotient lies within the rounding of f32 of a
 * half, that is one of the two integers next to it. TensorFlow Lite's own fixed point misses the nearest one by at most 1.
 * Allocates at most 64 bytes for each byte of the file, and 4 MB.
 * @param given the file's bytes: a Uint8Array (a Buffer is one) or an ArrayBuffer
 * @returns a model that `Network.create(gpu, model, { values })` runs, for any batch; several inputs and outputs are called
 *   as in the file
 * @throws FormatError when the file is damaged, or listing every operator that isn't supported, before anything else
 */
export function importTflite(given: BytesLike): TfliteNetwork {
  const bytes = plainBytes(given, 'importTflite');
  const file = parseTflite(bytes);
  const isKnown = (kind: string) => Object.hasOwn(RULES, kind) || CONSTANT_KINDS.includes(kind);
  const unsupported = file.operators.filter(({ kind }) => !isKnown(kind));
  if (unsupported.length > 0) {
    throw new FormatError('This file has operators that are not supported.', {
      given: listed(unsupported.map(({ where }) => where)),
      expected: Object.keys(RULES).join(', '),
      where: unsupported[0]?.where,
    });
  }
  return importGraph(file, bytes.length);
}

/** What stands for the ends of the network where operators are named. */
function endOperator(where: string, outputs: readonly number[] = []): TfliteOperator {
  return {
    ...{ where, kind: where, inputs: [], outputs },
    ...{ optionsType: 0, options: undefined, customOptions: new Uint8Array() },
  };
}

/** Names of tensors, made unique. */
function namesOf(file: TfliteFile, tensors: readonly number[]): string[] {
  const names = new Set<string>();
  for (const tensor of tensors) {
    const base = (file.tensors[tensor]?.name ?? '').slice(0, MOST_CHARACTERS);
    let name = base;
    for (let count = 2; names.has(name); count++) name = `${base}_${count}`;
    names.add(name);
  }
  return [...names];
}

/** More inputs, or outputs, than any network has. */
const MOST_ENDS = 1024;

function importGraph(file: TfliteFile, bytes: number): TfliteNetwork {
  const isTwice = new Set(file.inputs).size < file.inputs.length;
  const counts = [file.inputs.length, file.outputs.length];
  if (isTwice || counts.some((count) => count < 1 || count > MOST_ENDS)) {
    throw new FormatError('A network has inputs and outputs.', {
      given: isTwice ? 'one tensor as two inputs' : `${counts[0]} inputs, ${counts[1]} outputs`,
      expected: `1 to ${MOST_ENDS} of each`,
      where: FILE,
    });
  }
  const batch = file.tensors[file.inputs[0] ?? -1]?.shape[0] ?? 0;
  const importer = new Importer(file, batch, bytes);
  const inputNames = namesOf(file, file.inputs);
  const starts = file.inputs.map((tensor, index) => startOf(importer, tensor, inputNames[index] ?? ''));

  for (const operator of file.operators) {
    const [target, ...more] = operator.outputs;
    const isTaken = target !== undefined && importer.isTaken(target);
    if (target === undefined || more.length > 0 || isTaken) {
      throw new FormatError('An operator makes one new tensor.', {
        given: `${operator.outputs.length} outputs${isTaken ? ', one that there is already' : ''}`,
        where: operator.where,
      });
    }
    const constant = foldConstant(importer, operator);
    if (constant !== undefined) {
      importer.defineConstant(target, constant);
      importer.folded.push(operator.where);
      continue;
    }
    const rule = RULES[operator.kind];
    if (rule === undefined) throw refused(operator, 'it is known of constants only');
    const value = rule(importer, operator);
    if (value !== undefined) importer.define(target, value);
  }

  const nodes = new Set(starts.map(({ node }) => node));
  const outputNames = namesOf(file, file.outputs);
  const ends = file.outputs.map((tensor, index) => {
    const name = outputNames[index] ?? '';
    const result = importer.known(tensor);
    if (result === undefined) {
      throw new FormatError("An output isn't computed from the inputs.", {
        given: importer.isConstant(tensor) ? 'a constant' : 'nothing makes it',
        where: name,
      });
    }
    const end = endOperator('output');
    const zero = result.grid?.zeroPoint ?? 0;
    const settled = importer.settled(end, result);
    // An output is the result of a layer.
    const isReady = zero === 0 && !nodes.has(settled.node);
    const { node } = isReady ? settled : importer.scaled(end, settled, 1, zero);
    return { node, end: { name, type: result.type, grid: result.grid } };
  });
  const inputs = starts.map(({ end }) => end);
  const outputs = ends.map(({ end }) => end);
  const [input = noEnd(), output = noEnd()] = [inputs[0], outputs[0]];
  const { grid } = input;
  return {
    ...pruned(importer, () =>
      model({
        input: new Map(starts.map(({ node, end }) => [end.name, node])),
        output: new Map(ends.map(({ node, end }) => [end.name, node])),
        name: FILE,
      }),
    ),
    ...{ inputs, outputs, input, output, metadata: file.metadata, folded: importer.folded },
    pixels:
      grid === undefined || inputs.length > 1
        ? undefined
        : {
            ...{ scale: [1 / (255 * grid.scale)], shift: [grid.zeroPoint], round: true },
            ...{ minimum: -128, maximum: 127 },
          },
  };
}

function noEnd(): never {
  throw new FormatError('A network has inputs and outputs.', { where: FILE });
}

/** An input of the network, and what operators find in its place. */
function startOf(importer: Importer, tensor: number, name: string): { node: GraphNode; end: TfliteEnd } {
  const { file, batch } = importer;
  const given = file.tensors[tensor];
  const [own = 0, ...stored] = given?.shape ?? [];
  const operator = endOperator('input', [tensor]);
  const isPacked = given?.type === TENSOR_TYPE.int32;
  const shape = isPacked ? unpackedInput(file, tensor, name) : stored;
  const size = own * sizeOf(shape);
  if (given === undefined || shape.length === 0 || own !== batch || !(size > 0 && size <= MOST_ELEMENTS)) {
    throw new FormatError("The input's shape doesn't fit.", {
      given: shapeText(given?.shape ?? []),
      expected: `a batch${batch > 0 && own !== batch ? ` of ${batch}, as the first input,` : ''} and at least one more axis, at most ${MOST_ELEMENTS} values`,
      where: name,
    });
  }
  if (importer.isTaken(tensor)) {
    throw new FormatError('An input is a constant of the file.', { where: name });
  }
  const node = input(shape);
  const raw = { node, nodeShape: shape, shape };
  if (isPacked) {
    importer.define(tensor, packedSigns(importer.alike(operator, (own) => sign({ name: own }), raw)));
    return { node, end: { name, type: 'signs', grid: undefined } };
  }
  const types = ['float32', 'int8', 'bool'] as const;
  const type = types.find((known) => TENSOR_TYPE[known] === given.type);
  if (type === undefined) {
    throw new FormatError("The input's type is not supported.", {
      given: tensorTypeName(given.type),
      expected: `${types.join(', ')}, or int32 of packed signs`,
      where: name,
    });
  }
  const grid = type === 'int8' ? importer.grid(operator, given) : undefined;
  const zero = grid?.zeroPoint ?? 0;
  const centred = zero === 0 ? raw : importer.scaled(operator, raw, 1, -zero);
  importer.define(tensor, { ...centred, type, grid, isSigns: false });
  return { node, end: { name, type, grid } };
}

/** The model, and the values of those layers that its output depends on. */
function pruned(importer: Importer, build: () => Model): Pick<TfliteNetwork, 'model' | 'values'> {
  try {
    const built = build();
    const names = new Set(
      built.layers.flatMap(({ name, parameters }) => parameters.map((spec) => `${name}/${spec.name}`)),
    );
    return { model: built, values: new Map([...importer.values].filter(([name]) => names.has(name))) };
  } catch (cause) {
    if (!(cause instanceof BnnError) || cause instanceof FormatError) throw cause;
    throw new FormatError("The file's operators make no network.", { given: cause.what, where: FILE, cause });
  }
}
