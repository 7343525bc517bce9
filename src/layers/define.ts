/**
 * Layers of one's own: what a layer needs beside its arithmetic (options that are checked, a kind, a configuration that files
 * keep, a way to be made again) follows from its definition.
 *
 *   const clip = defineLayer({
 *     kind: 'acme.clip',
 *     options: { limit: { default: 1, above: 0, says: 'numbers are kept between -limit and limit' } },
 *     outputShape: ([shape]) => shape,
 *     forward({ builder }, [x], { limit }) {
 *       const bounds = { minimum: -limit, maximum: limit };
 *       return {
 *         output: ops.clamp(builder, x, bounds),
 *         backward: (gradient) => ({ inputs: [ops.clampGrad(builder, gradient, x, bounds)] }),
 *       };
 *     },
 *   });
 *   sequential([dense({ units: 10 }), clip({ limit: 2 })], { input: [64] });
 *   await loadModel(file, { with: [clip] });
 */
import { OptionError, ShapeError } from '../errors.ts';
import { type Shape, Tensor } from '../gpu/index.ts';
import {
  type NumberParameter,
  notedConfig,
  type Quantizer,
  type QuantizerLike,
  resolveQuantizer,
} from '../methods/index.ts';
import { assertWithin } from '../methods/method.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import {
  type Activation,
  asReal,
  type Backward,
  type ForwardContext,
  type Layer,
  type Operations,
  type ParameterSpec,
  type Traits,
} from './layer.ts';

/** A number; one without a default must be given. */
export interface NumberOption extends Omit<NumberParameter, 'default'> {
  /** What it is where it isn't given. */
  readonly default?: number;
  /** Whether it is a whole number. */
  readonly integer?: boolean;
}

/** True or false. */
export interface FlagOption {
  /** What it is where it isn't given. */
  readonly default: boolean;
  /** What it does, for the layer's page. */
  readonly says: string;
}

/** One of some words. */
export interface ChoiceOption {
  /** What it is where it isn't given. */
  readonly default: string;
  /** All words that may be given. */
  readonly oneOf: readonly string[];
  /** What it does, for the layer's page. */
  readonly says: string;
}

/** A quantizer, by name or as an object. The option's name must end in "quantizer": by that, files are read. */
export interface QuantizerOption {
  /** Tells it from other options. */
  readonly quantizer: true;
  /** Default `steSign`. */
  readonly default?: QuantizerLike;
  /** What it does, for the layer's page. */
  readonly says: string;
}

/** What an option of any kind may say of itself. */
const OPTION = namesOf<NumberOption & ChoiceOption & QuantizerOption>({
  ...{ default: true, above: true, from: true, below: true, to: true, integer: true, oneOf: true },
  ...{ quantizer: true, says: true },
});

/** An option of a layer of your own. */
export type LayerOption = NumberOption | FlagOption | ChoiceOption | QuantizerOption;
/** The options of a layer of your own, by name. */
export type LayerOptions = Readonly<Record<string, LayerOption>>;

/** The options of a layer, all of them. */
export type OptionValues<O extends LayerOptions> = {
  readonly [K in keyof O]: O[K] extends { readonly quantizer: true }
    ? Quantizer
    : O[K] extends { readonly default: boolean }
      ? boolean
      : O[K] extends { readonly oneOf: readonly (infer Word)[] }
        ? Word
        : number;
};

/** Names of the options that must be given. */
type Required<O extends LayerOptions> = {
  [K in keyof O]: O[K] extends { readonly quantizer: true } | { readonly default: unknown } ? never : K;
}[keyof O];

type Given<O extends LayerOptions, K extends keyof O> = O[K] extends { readonly quantizer: true }
  ? QuantizerLike
  : OptionValues<O>[K];

/** What a layer is made with: what has no default, and `name`. */
export type GivenOptions<O extends LayerOptions> = { readonly name?: string } & {
  readonly [K in Required<O>]: Given<O, K>;
} & { readonly [K in Exclude<keyof O, Required<O>>]?: Given<O, K> };

/** One or more, as many as the layer has inputs. */
export type Inputs<T> = readonly [T, ...T[]];

/** The recorded forward pass: f32 are reals, packed bits are signs. */
export interface DefinedForward {
  /** f32 or packed signs, with the batch as first axis. */
  readonly output: Tensor;
  /**
   * Records the backward pass; called at most once, only when training.
   * @param gradOutput f32, shape of the output
   */
  backward(gradOutput: Tensor): Backward;
}

/** What `defineLayer` makes a layer of. */
export interface LayerDefinition<O extends LayerOptions = LayerOptions> {
  /** Unique among all layers: files name the layer by it. A word of your own before a dot keeps it apart: `acme.scale`. */
  readonly kind: string;
  /** Its options by name. Default: none. */
  readonly options?: O;
  /**
   * Shape of the output without the batch axis.
   * @throws ShapeError (`webgpu-bnn` exports it) when the inputs don't fit
   */
  readonly outputShape: (inputs: Inputs<Shape>, options: OptionValues<O>, name: string) => Shape;
  /** What it learns and keeps. Default: nothing. */
  readonly parameters?: (inputs: Inputs<Shape>, options: OptionValues<O>) => readonly ParameterSpec[];
  /**
   * Records the layer's work into `context.builder`.
   * @param inputs f32 [batch, ...shape]; where `signs` is true, what travels as signs comes as packed bits
   */
  readonly forward: (
    context: ForwardContext,
    inputs: Inputs<Tensor>,
    options: OptionValues<O>,
  ) => DefinedForward;
  /** Whether `forward` takes packed bits where signs flow in. Default: it is given +1 and -1 as f32. */
  readonly signs?: boolean;
  /** Number of inputs. Default 1; `any`: one or more. */
  readonly inputs?: number | 'any';
  /** Multiply-accumulates of one sample, for summaries. Default: none. */
  readonly operations?: (inputs: Inputs<Shape>, options: OptionValues<O>) => Operations;
  /** What others need to know of it; see `Traits`. */
  readonly traits?: Traits | ((options: OptionValues<O>) => Traits);
}

const MEMBERS = namesOf<LayerDefinition>({
  ...{ kind: true, options: true, outputShape: true, parameters: true, forward: true, signs: true },
  ...{ inputs: true, operations: true, traits: true },
});

const TRAITS = namesOf<Traits>({
  ...{
    output: true,
    reshapes: true,
    parts: true,
    gates: true,
    idle: true,
    keepsOrder: true,
    grid: true,
    readsSigns: true,
  },
  ...{ inputRule: true, quantizers: true, product: true, channels: true, pooling: true },
});

/** Makes layers of one kind; `loadModel(file, { with: [factory] })` takes it as it is. */
export interface DefinedLayerFactory<O extends LayerOptions = LayerOptions> {
  (...options: Required<O> extends never ? [options?: GivenOptions<O>] : [options: GivenOptions<O>]): Layer;
  /** By which files call layers of this kind. */
  readonly kind: string;
}

/**
 * Makes a factory of layers of a definition.
 * @returns a function of the options that gives a layer; it has the `kind` by which files name its layers
 * @throws OptionError for a definition that lacks a member, naming it; the factory throws it for options that aren't right
 */
export function defineLayer<const O extends LayerOptions = Record<never, never>>(
  definition: LayerDefinition<O>,
): DefinedLayerFactory<O> {
  assertDefinition(definition as unknown as LayerDefinition);
  const { kind, options: known = {} as O, inputs: count = 1, signs = false } = definition;
  const make = (given: GivenOptions<O> = {} as GivenOptions<O>): Layer => {
    const where = given?.name ?? kind;
    const values = resolved(known, given, where);
    const { traits } = definition;
    const own = typeof traits === 'function' ? traits(values) : traits;
    const quantizers = Object.entries(known).flatMap(([name, option]) =>
      'quantizer' in option ? [(values as Readonly<Record<string, unknown>>)[name] as Quantizer] : [],
    );
    return {
      name: given.name,
      kind,
      config: notedConfig(given),
      traits: quantizers.length === 0 ? own : { ...own, quantizers },
      outputShape(inputs, name) {
        const shape = definition.outputShape(counted(inputs, count, name), values, name);
        const isShape =
          Array.isArray(shape) && shape.every((extent) => Number.isSafeInteger(extent) && extent > 0);
        if (isShape) return shape;
        throw new ShapeError('A layer gives a shape of positive integers.', {
          given: JSON.stringify(shape),
          where: `${name}: outputShape of ${kind}`,
        });
      },
      parameters: (inputs) => definition.parameters?.(counted(inputs, count, where), values) ?? [],
      operations: (inputs) =>
        definition.operations?.(counted(inputs, count, where), values) ?? { binary: 0, float: 0 },
      forward(context, inputs) {
        const taken = inputs.map((input) => (signs ? input.tensor : asReal(context.builder, input)));
        const { output, backward } = definition.forward(context, counted(taken, count, where), values);
        return { output: activationOf(output, `${where}: forward of ${kind}`), backward };
      },
    };
  };
  return Object.assign(make, { kind }) as unknown as DefinedLayerFactory<O>;
}

/** @throws OptionError for a member that is missing, or options that can't be */
function assertDefinition(definition: LayerDefinition): void {
  const { kind, options = {}, traits } = definition;
  const where = `layer ${String(kind)}`;
  assertKnownOptions(definition, MEMBERS, where);
  if (typeof traits === 'object') assertKnownOptions(traits, TRAITS, `${where}: traits`);
  if (typeof kind !== 'string' || kind === '') {
    throw new OptionError('A layer needs a kind.', { given: `kind: ${String(kind)}`, where: 'defineLayer' });
  }
  for (const member of ['outputShape', 'forward'] as const) {
    if (typeof definition[member] === 'function') continue;
    throw new OptionError('A layer lacks a function.', {
      given: `${member}: ${typeof definition[member]}`,
      expected: `${member}(...)`,
      where,
    });
  }
  const { inputs = 1 } = definition;
  if (inputs !== 'any' && !(Number.isSafeInteger(inputs) && inputs > 0)) {
    throw new OptionError('A layer takes one input or more.', {
      given: `inputs: ${String(inputs)}`,
      expected: "a positive integer, or 'any'",
      where,
    });
  }
  for (const [name, option] of Object.entries(options)) {
    assertKnownOptions(option, OPTION, `${where}: ${name}`);
    if (name === 'name') throw new OptionError('The name of a layer is no option of its kind.', { where });
    if ('quantizer' in option !== /quantizer$/i.test(name)) {
      throw new OptionError(
        'Options that are quantizers, and no others, have names that end in "quantizer".',
        {
          given: name,
          where,
          remedy: 'files hold the names of quantizers, and are read by this rule',
        },
      );
    }
  }
}

/** Options with their defaults. @throws OptionError for what is unknown, missing or out of its bounds */
function resolved<O extends LayerOptions>(known: O, given: object, where: string): OptionValues<O> {
  assertKnownOptions(given, ['name', ...Object.keys(known)], where);
  const own = given as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(known).map(([name, option]) => [
      name,
      checkedOption(option, own[name] ?? option.default, `${where}: ${name}`),
    ]),
  ) as OptionValues<O>;
}

function checkedOption(option: LayerOption, value: unknown, where: string): unknown {
  if ('quantizer' in option) {
    const quantizer = resolveQuantizer((value ?? 'steSign') as QuantizerLike, where);
    if (quantizer.row === undefined && quantizer.scalars.length === 0) return quantizer;
    throw new OptionError('A layer of a definition takes quantizers that give signs alone.', {
      given: `${quantizer.name}, which has a rule for rows, or numbers that change from step to step`,
      where,
      remedy: 'give it to a layer of the library, or write what it does in the layer',
    });
  }
  if ('oneOf' in option) {
    if (option.oneOf.includes(value as string)) return value;
    throw new OptionError("A layer's option is unknown.", {
      given: String(value),
      expected: option.oneOf.join(', '),
      where,
    });
  }
  if (typeof option.default === 'boolean') {
    if (typeof value === 'boolean') return value;
    throw new OptionError("A layer's option is true or false.", { given: String(value), where });
  }
  const bounds = option as NumberOption;
  assertWithin(value, bounds, where);
  if (bounds.integer !== true || Number.isSafeInteger(value)) return value;
  throw new OptionError("A layer's option is a whole number.", { given: String(value), where });
}

/** @throws ShapeError unless there are as many inputs as the layer takes */
function counted<T>(inputs: readonly T[], count: number | 'any', where: string): Inputs<T> {
  if (count === 'any' ? inputs.length > 0 : inputs.length === count) return inputs as unknown as Inputs<T>;
  throw new ShapeError('This layer takes another number of inputs.', {
    given: `${inputs.length} inputs`,
    expected: count === 'any' ? '1 or more' : String(count),
    where,
  });
}

function activationOf(output: Tensor, where: string): Activation {
  if (output instanceof Tensor && output.dtype === 'f32') return { kind: 'real', tensor: output };
  if (output instanceof Tensor && output.dtype === 'bits') return { kind: 'sign', tensor: output };
  throw new OptionError('A layer gives a tensor of reals, or of packed signs.', {
    given: output instanceof Tensor ? output.dtype : typeof output,
    expected: 'output: Tensor of f32 or bits',
    where,
  });
}
