/** The importer of `.tflite` networks: from the container to this library's layers. */
import { type BytesLike, plainBytes } from '../../bytes.ts';
import { BnnError, FormatError } from '../../errors.ts';
import { sizeOf } from '../../gpu/index.ts';
import { input, type Model, model, type ParameterValue } from '../../graph/index.ts';
import type { PixelEncoding } from '../pixels.ts';
import { parseTflite, type TfliteFile, type TfliteOperator } from './container.ts';
import { type Grid, Importer, type Rule, type Value } from './importer.ts';
import { LARQ_RULES } from './larq.ts';
import { TENSOR_TYPE, tensorTypeName } from './schema.ts';
import { STANDARD_RULES } from './standard.ts';

/** What the numbers at an end of a network mean. */
export interface TfliteEnd {
  /** `int8`: the integers themselves, as f32. `bool`: 0 and 1. `signs`: −1 and +1. */
  readonly type: Value['type'];
  /** int8 only: real = scale·(integer − zeroPoint). */
  readonly grid: Grid | undefined;
}

export interface TfliteNetwork {
  readonly model: Model;
  /** Binary weights are packed signs. */
  readonly values: ReadonlyMap<string, ParameterValue>;
  readonly input: TfliteEnd;
  readonly output: TfliteEnd;
  /** int8 inputs only: bytes of an image, as reals from 0 to 1, to the file's integers. */
  readonly pixels: PixelEncoding | undefined;
  /** Operators of the file that are no layer any more. */
  readonly folded: readonly string[];
}

/** Larger inputs are refused. */
const MOST_ELEMENTS = 2 ** 26;
const RULES: Readonly<Record<string, Rule>> = { ...LARQ_RULES, ...STANDARD_RULES };
const FILE = 'TensorFlow Lite';

/**
 * Imports a `.tflite` file, of Larq Compute Engine or plain, in float32 and int8.
 *
 * Results are those of the reference kernels: packed signs to the bit; float32 to the rounding of f32; int8 to the
 * integer nearest to the exact quotient, which TensorFlow Lite's own fixed point misses by at most 1.
 * Allocates at most 64 bytes for each byte of the file, and 4 MB.
 * @returns a model that `Network.create(gpu, model, { values })` runs, for any batch
 * @throws FormatError when the file is damaged, or listing every operator that isn't supported, before anything else
 */
export function importTflite(given: BytesLike): TfliteNetwork {
  const bytes = plainBytes(given, 'importTflite');
  const file = parseTflite(bytes);
  const unsupported = file.operators.filter(({ kind }) => !Object.hasOwn(RULES, kind));
  if (unsupported.length > 0) {
    throw new FormatError('This file has operators that are not supported.', {
      given: unsupported.map(({ where }) => where).join(', '),
      expected: Object.keys(RULES).join(', '),
      where: unsupported[0]?.where,
    });
  }
  const [from, ...otherInputs] = file.inputs;
  const [to, ...otherOutputs] = file.outputs;
  if (from === undefined || to === undefined || otherInputs.length > 0 || otherOutputs.length > 0) {
    throw new FormatError('A network has one input and one output.', {
      given: `${file.inputs.length} inputs, ${file.outputs.length} outputs`,
      where: FILE,
    });
  }
  return importGraph(file, from, to, bytes.length);
}

function importGraph(file: TfliteFile, from: number, to: number, bytes: number): TfliteNetwork {
  const given = file.tensors[from];
  const [batch = 0, ...shape] = given?.shape ?? [];
  const size = batch * sizeOf(shape);
  if (given === undefined || shape.length === 0 || !(size > 0 && size <= MOST_ELEMENTS)) {
    throw new FormatError("The input's shape doesn't fit.", {
      given: `[${given?.shape.join(', ')}]`,
      expected: `a batch and at least one more axis, at most ${MOST_ELEMENTS} values`,
      where: given?.name,
    });
  }
  const importer = new Importer(file, batch, bytes);
  const start = input(shape);
  const inputOperator: TfliteOperator = {
    where: 'input',
    kind: 'input',
    inputs: [],
    outputs: [from],
    optionsType: 0,
    options: undefined,
    customOptions: new Uint8Array(),
  };
  const types = ['float32', 'int8', 'bool'] as const;
  const type = types.find((name) => TENSOR_TYPE[name] === given.type);
  if (type === undefined) {
    throw new FormatError("The input's type is not supported.", {
      given: tensorTypeName(given.type),
      expected: types.join(', '),
      where: given.name,
    });
  }
  const grid = type === 'int8' ? importer.grid(inputOperator, given) : undefined;
  const raw = { node: start, nodeShape: shape, shape };
  const zero = grid?.zeroPoint ?? 0;
  const centred = zero === 0 ? raw : importer.scaled(inputOperator, raw, 1, -zero);
  importer.define(from, { ...centred, type, grid, isSigns: false });

  for (const operator of file.operators) {
    const [target, ...more] = operator.outputs;
    const isTaken =
      target !== undefined &&
      (importer.known(target) ?? importer.signs.get(target) ?? file.tensors[target]?.data) !== undefined;
    const rule = RULES[operator.kind];
    if (target === undefined || more.length > 0 || isTaken || rule === undefined) {
      throw new FormatError('An operator makes one new tensor.', {
        given: `${operator.outputs.length} outputs${isTaken ? ', one that there is already' : ''}`,
        where: operator.where,
      });
    }
    const value = rule(importer, operator);
    if (value !== undefined) importer.define(target, value);
  }

  const result = importer.known(to);
  if (result === undefined) {
    throw new FormatError("The output isn't computed from the input.", { where: file.tensors[to]?.name });
  }
  const end = { ...inputOperator, where: 'output' };
  const outZero = result.grid?.zeroPoint ?? 0;
  const settled = importer.settled(end, result);
  // A network has at least one layer.
  const isReady = outZero === 0 && settled.node !== start;
  const { node } = isReady ? settled : importer.scaled(end, settled, 1, outZero);
  return {
    ...pruned(importer, () => model({ input: start, output: node, name: FILE })),
    input: { type, grid },
    pixels: grid && {
      ...{ scale: [1 / (255 * grid.scale)], shift: [grid.zeroPoint], round: true },
      ...{ minimum: -128, maximum: 127 },
    },
    output: { type: result.type, grid: result.grid },
    folded: importer.folded,
  };
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
