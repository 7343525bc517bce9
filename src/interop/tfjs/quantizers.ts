/**
 * Larq's quantizers for TensorFlow.js, by class, alias or serialized form, and this library's own, as they are. Forward formulas,
 * names, options and defaults are Larq's (larq/quantizers.py); `sign` takes 0 for +1, as there. Gradients are those of this
 * library's quantizers. Each is also an activation.
 */
import * as tf from '@tensorflow/tfjs-core';
import { OptionError } from '../../errors.ts';
import * as methods from '../../methods/index.ts';
import { isMethod, isPlainSign } from '../../methods/note.ts';
import { resolvePlainQuantizer } from '../../methods/quantizers/plain.ts';
import { ActivationBase } from './bases.ts';
import { FlipRatio } from './metrics.ts';
import { pseudoGradient } from './pseudo-gradient.ts';

type Config = tf.serialization.ConfigDict;

/** What every quantizer takes. */
export interface QuantizerOptions {
  /** `['flip_ratio']` keeps the mean ratio of values that changed from call to call, in `flipRatio`. */
  readonly metrics?: readonly 'flip_ratio'[] | undefined;
}
/** Options of quantizers that pass the gradient inside a window. */
export interface ClippedOptions extends QuantizerOptions {
  /** Half width of the window in which the gradient passes; 1 when absent, no window where it is null. */
  readonly clipValue?: number | null | undefined;
}

/** How a binary quantizer's gradient is computed where this library's kernels do it. */
export interface Surrogate {
  readonly quantizer: methods.Quantizer;
  /** Whether the signs are scaled by the mean magnitude along the last axis. */
  readonly scaled?: boolean;
}

/** A quantizer: what it makes of values, and the gradient that it lets pass. */
export abstract class Quantizer extends ActivationBase {
  /** Bits of the output; null where it says nothing of them. */
  abstract readonly precision: number | null;
  /** How often values change, where that was asked for. */
  readonly flipRatio: FlipRatio | undefined;

  constructor(options: QuantizerOptions = {}) {
    super();
    const { metrics } = options;
    if (metrics?.some((name) => name !== 'flip_ratio')) {
      throw new OptionError('This metric of a quantizer is unknown.', {
        given: metrics.join(', '),
        expected: 'flip_ratio',
      });
    }
    this.flipRatio = metrics?.length ? new FlipRatio() : undefined;
  }

  /** Where the output is ±1 (perhaps scaled): how this library's kernels compute the gradient. */
  get surrogate(): Surrogate | undefined {
    return undefined;
  }

  protected abstract quantize(x: tf.Tensor): tf.Tensor;

  /** @param x f32, any shape @returns the same shape, differentiable with the pseudo-gradient */
  override apply(x: tf.Tensor): tf.Tensor {
    const y = this.quantize(x);
    this.flipRatio?.updateState(y);
    return y;
  }

  /** Counts the flips of what it makes of `x`, for a caller that computes that in another way. */
  track(x: tf.Tensor): void {
    const { flipRatio } = this;
    if (flipRatio !== undefined) tf.tidy(() => flipRatio.updateState(this.quantize(x)));
  }

  override getConfig(): Config {
    return {};
  }
}

/** What a formula makes of x, with another gradient than its own. */
function straightThrough(
  x: tf.Tensor,
  forward: (x: tf.Tensor) => tf.Tensor,
  backward: methods.Quantizer | ((dy: tf.Tensor, x: tf.Tensor) => tf.Tensor),
): tf.Tensor {
  const quantize = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([input]);
    return {
      value: forward(input),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) =>
        typeof backward === 'function'
          ? backward(dy, saved as tf.Tensor)
          : pseudoGradient(dy, saved as tf.Tensor, backward),
    };
  }) as (x: tf.Tensor) => tf.Tensor;
  return quantize(x);
}

/** −1 where x < 0, else +1. */
function sign(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.sub(1, tf.mul(2, tf.cast(tf.less(x, 0), 'float32'))));
}

/** Those that pass the gradient inside a window. */
abstract class Clipped extends Quantizer {
  /** Half width of the window in which the gradient passes; null: it passes everywhere. */
  readonly clipValue: number | null;

  constructor(options: ClippedOptions = {}) {
    super(options);
    const clip = optionOf(options, 'clipValue', 1);
    this.clipValue = clip === null ? null : numberOf(clip, 'clipValue');
  }

  /** The gradient inside the window. */
  protected get gradient(): methods.Quantizer {
    return this.clipValue === null ? methods.steIdentity() : methods.steSign({ clip: this.clipValue });
  }

  override getConfig(): Config {
    return { clipValue: this.clipValue };
  }
}

/** sign(x); the gradient passes where |x| ≤ clipValue (Hubara 2016). */
export class SteSign extends Clipped {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'SteSign';
  readonly precision = 1;

  override get surrogate(): Surrogate {
    return { quantizer: this.gradient };
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return straightThrough(x, sign, this.gradient);
  }
}

/** sign(x); the gradient is multiplied by 2 − 2|x| where |x| ≤ 1 (Bi-Real Net 2018). */
export class ApproxSign extends Quantizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'ApproxSign';
  readonly precision = 1;

  override get surrogate(): Surrogate {
    return { quantizer: methods.approxSign() };
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return straightThrough(x, sign, methods.approxSign());
  }
}

/** Options of `SwishSign`. */
export interface SwishSignOptions extends QuantizerOptions {
  /** Steepness; 5 when absent. */
  readonly beta?: number | undefined;
}

/** sign(x); the gradient is multiplied by β(2 − βx·tanh(βx/2)) / (1 + cosh(βx)) (BNN+ 2018). */
export class SwishSign extends Quantizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'SwishSign';
  readonly precision = 1;
  /** Steepness β of the gradient; 5 when absent. */
  readonly beta: number;

  constructor(options: SwishSignOptions = {}) {
    super(options);
    this.beta = numberOf(optionOf(options, 'beta', 5), 'beta');
  }

  override get surrogate(): Surrogate {
    return { quantizer: methods.swishSign({ beta: this.beta }) };
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return straightThrough(x, sign, methods.swishSign({ beta: this.beta }));
  }

  override getConfig(): Config {
    return { beta: this.beta };
  }
}

/** sign(x) times the mean of |x| over all axes but the last, which passes no gradient (Bi-Real Net 2018, 3.3). */
export class MagnitudeAwareSign extends Clipped {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'MagnitudeAwareSign';
  readonly precision = 1;

  /** The signs alone, with the same gradient. */
  readonly signs: SteSign;

  constructor(options: ClippedOptions = {}) {
    super(options);
    this.signs = new SteSign({ clipValue: this.clipValue });
  }

  override get surrogate(): Surrogate {
    return { ...this.signs.surrogate, scaled: true };
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    const scaled = (values: tf.Tensor, of: tf.Tensor) => tf.mul(values, meanMagnitude(of));
    return straightThrough(
      x,
      (input) => tf.tidy(() => scaled(sign(input), input)),
      (dy, saved) => tf.tidy(() => scaled(pseudoGradient(dy, saved, this.gradient), saved)),
    );
  }
}

/** The mean of |x| over all axes but the last. */
export function meanMagnitude(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mean(tf.abs(x), [...x.shape.keys()].slice(0, -1)));
}

/** Options of `SteTern`. */
export interface SteTernOptions extends ClippedOptions {
  /** Values below it in magnitude become 0; 0.05 when absent. */
  readonly thresholdValue?: number | undefined;
  /** Take 0.7 · mean|x| for the threshold instead. */
  readonly ternaryWeightNetworks?: boolean | undefined;
}

/** −1, 0 or +1 by a threshold; the gradient passes where |x| ≤ clipValue (Li 2016). */
export class SteTern extends Clipped {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'SteTern';
  readonly precision = 2;
  /** Values below it in magnitude become 0. */
  readonly thresholdValue: number;
  /** Whether 0.7 · mean|x| is the threshold, in place of `thresholdValue`. */
  readonly ternaryWeightNetworks: boolean;

  constructor(options: SteTernOptions = {}) {
    super(options);
    this.thresholdValue = numberOf(optionOf(options, 'thresholdValue', 0.05), 'thresholdValue');
    this.ternaryWeightNetworks = optionOf(options, 'ternaryWeightNetworks', false) === true;
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    const ternary = (input: tf.Tensor) =>
      tf.tidy(() => {
        const threshold = this.ternaryWeightNetworks
          ? tf.mul(0.7, tf.mean(tf.abs(input)))
          : tf.scalar(this.thresholdValue);
        return tf.sign(tf.add(tf.sign(tf.add(input, threshold)), tf.sign(tf.sub(input, threshold))));
      });
    return straightThrough(x, ternary, this.gradient);
  }

  override getConfig(): Config {
    const { thresholdValue, ternaryWeightNetworks } = this;
    return { ...super.getConfig(), thresholdValue, ternaryWeightNetworks };
  }
}

/** 1 where x > 0, else 0; the gradient passes where |x| ≤ clipValue. */
export class SteHeaviside extends Clipped {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'SteHeaviside';
  readonly precision = 1;

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return straightThrough(
      x,
      (input) => tf.tidy(() => tf.cast(tf.greater(input, 0), 'float32')),
      this.gradient,
    );
  }
}

/** Options of `DoReFa`. */
export interface DoReFaOptions extends QuantizerOptions {
  /** Bits; 2 when absent. */
  readonly kBit?: number | undefined;
  /** `activations` (default) clips to [0, 1]; `weights` limits softly to [−1, 1] and norms by the largest. */
  readonly mode?: 'activations' | 'weights' | undefined;
}

/** k bits, uniform in [0, 1], or [−1, 1] for weights (Zhou 2016, 2.3). */
export class DoReFa extends Quantizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'DoReFa';
  readonly precision: number;
  /** Which values it is for; see `DoReFaOptions.mode`. */
  readonly mode: 'activations' | 'weights';

  constructor(options: DoReFaOptions = {}) {
    super(options);
    const bits = numberOf(optionOf(options, 'kBit', 2), 'kBit');
    const mode = optionOf(options, 'mode', 'activations');
    if (!Number.isSafeInteger(bits) || bits < 1 || bits > 24) {
      throw new OptionError('DoReFa takes a number of bits.', { given: `${bits}`, expected: '1 to 24' });
    }
    if (mode !== 'activations' && mode !== 'weights') {
      throw new OptionError('This mode of DoReFa is unknown.', {
        given: `${mode}`,
        expected: "'activations' or 'weights'",
      });
    }
    this.precision = bits;
    this.mode = mode;
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    const levels = 2 ** this.precision - 1;
    const rounded = (input: tf.Tensor) => tf.tidy(() => tf.div(tf.round(tf.mul(input, levels)), levels));
    if (this.mode === 'activations') {
      return straightThrough(
        x,
        (input) => tf.tidy(() => rounded(tf.clipByValue(input, 0, 1))),
        // As `doReFa` has it, without the rules for rows that come with that.
        (dy, saved) =>
          tf.tidy(() => {
            const inside = tf.logicalAnd(tf.greaterEqual(saved, 0), tf.lessEqual(saved, 1));
            return tf.mul(dy, tf.cast(inside, 'float32'));
          }),
      );
    }
    // The largest magnitude is a constant to the gradient; where it is 0, so are all weights.
    const largest = (limited: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(limited)));
    return straightThrough(
      x,
      (input) =>
        tf.tidy(() => {
          const limited = tf.tanh(input);
          const normed = tf.add(tf.mul(0.5, tf.divNoNan(limited, largest(limited))), 0.5);
          return tf.sub(tf.mul(2, rounded(normed)), 1);
        }),
      (dy, saved) =>
        tf.tidy(() => {
          const limited = tf.tanh(saved);
          return tf.divNoNan(tf.mul(dy, tf.sub(1, tf.square(limited))), largest(limited));
        }),
    );
  }

  override getConfig(): Config {
    return { kBit: this.precision, mode: this.mode };
  }
}

/** Options of `NoOp`. */
export interface NoOpOptions extends QuantizerOptions {
  /** Bits that an optimizer such as Bop keeps the values to. */
  readonly precision: number;
}

/** x itself; marks a variable as having `precision` bits, for optimizers that keep it so. */
export class NoOp extends Quantizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'NoOp';
  readonly precision: number;

  constructor(options: NoOpOptions) {
    super(options);
    this.precision = numberOf(optionOf(options, 'precision', undefined), 'precision');
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return tf.clone(x);
  }

  override getConfig(): Config {
    return { precision: this.precision };
  }
}

/** Options of `MethodQuantizer`. */
export interface MethodOptions extends QuantizerOptions {
  /** A quantizer of this library, one that `defineQuantizer` made, or the name (and numbers) of `steSign` and its like. */
  readonly method: methods.QuantizerLike;
}

/**
 * sign(x), with the gradient of a quantizer of this library or of one's own: `getQuantizer` makes it of `defineQuantizer`'s, so
 * that `quantDense({ units: 64, kernelQuantizer: cubic() })` takes them as they are. Of what is one's own, files keep the name.
 */
export class MethodQuantizer extends Quantizer {
  /** Name under which saved models of TensorFlow.js have it. */
  static readonly className: string = 'MethodQuantizer';
  readonly precision = 1;
  /** Whose gradient passes. */
  readonly method: methods.Quantizer;

  /** @throws OptionError for one that makes something else than signs of values, or changes from step to step */
  constructor(options: MethodOptions) {
    super(options);
    const method = resolvePlainQuantizer(options.method);
    if (!isPlainSign(method) || method.scalars.length > 0) {
      throw new OptionError(
        'TensorFlow.js takes quantizers whose values are their signs, with one gradient.',
        {
          given: `${method.name}, ${method.scalars.length > 0 ? 'which changes from step to step' : 'which has a rule for rows'}`,
          where: 'webgpu-bnn/tfjs',
          remedy: "extend this entry's Quantizer, whose quantize is made of TensorFlow.js' operations",
        },
      );
    }
    this.method = method;
  }

  override get surrogate(): Surrogate {
    return { quantizer: this.method };
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return straightThrough(x, sign, this.method);
  }

  override getConfig(): Config {
    return { method: this.method.toJSON() as Config };
  }
}

/** A function in place of a quantizer; it can't be saved. */
class Custom extends Quantizer {
  static readonly className: string = 'Custom';
  readonly precision = null;
  readonly #apply: (x: tf.Tensor) => tf.Tensor;

  constructor(apply: (x: tf.Tensor) => tf.Tensor) {
    super();
    this.#apply = apply;
  }

  protected override quantize(x: tf.Tensor): tf.Tensor {
    return this.#apply(x);
  }

  override getConfig(): Config {
    throw new OptionError("A function that serves as quantizer can't be saved.", {
      expected: `one of ${KNOWN}, or a subclass of Quantizer that is registered`,
    });
  }
}

/** A quantizer, one of this library's, an alias or class name, a serialized form, or a function. */
export type QuantizerIdentifier =
  | string
  | Quantizer
  | methods.Quantizer
  | ((x: tf.Tensor) => tf.Tensor)
  | { readonly className: string; readonly config: Config };

type QuantizerClass = tf.serialization.SerializableConstructor<Quantizer>;

/** Larq's quantizers, with the names that its files know them by: the class, then the alias. */
export const QUANTIZERS: readonly { readonly made: QuantizerClass; readonly aliases: readonly string[] }[] = [
  { made: SteSign, aliases: ['ste_sign'] },
  { made: ApproxSign, aliases: ['approx_sign'] },
  { made: SwishSign, aliases: ['swish_sign'] },
  { made: MagnitudeAwareSign, aliases: ['magnitude_aware_sign'] },
  { made: SteTern, aliases: ['ste_tern'] },
  { made: SteHeaviside, aliases: ['ste_heaviside'] },
  { made: DoReFa, aliases: ['dorefa_quantizer', 'DoReFaQuantizer'] },
  { made: NoOp, aliases: ['NoOpQuantizer'] },
  { made: MethodQuantizer, aliases: [] },
];
const KNOWN = QUANTIZERS.map(({ made, aliases }) => aliases[0] ?? made.className).join(', ');

/** Names as they are after TensorFlow.js has taken out underscores, too. */
const plain = (name: string) => name.replaceAll('_', '').toLowerCase();

/**
 * The quantizer that is meant; the very one where it is one already.
 * @throws OptionError for a name that isn't known, listing those that are
 */
export function getQuantizer(
  identifier: QuantizerIdentifier | null | undefined,
  where = 'a quantizer',
): Quantizer | undefined {
  if (identifier === null || identifier === undefined) return undefined;
  if (identifier instanceof Quantizer) return identifier;
  if (typeof identifier === 'function') return new Custom(identifier);
  if (isMethod(identifier)) return new MethodQuantizer({ method: identifier as methods.Quantizer });
  const { className, config = {} } =
    typeof identifier === 'string'
      ? { className: identifier }
      : (identifier as { className: string; config?: Config });
  const name = String(className);
  const found = QUANTIZERS.find(({ made, aliases }) =>
    [made.className, ...aliases].some((known) => plain(known) === plain(name)),
  );
  const registered = tf.serialization.SerializationMap.getMap().classNameMap[name]?.[0];
  const made = found?.made ?? registered;
  const quantizer = made === undefined ? undefined : new made(config);
  if (quantizer instanceof Quantizer) return quantizer;
  throw new OptionError('This quantizer is unknown.', {
    given: name,
    expected: KNOWN,
    where,
    remedy: 'for one of your own, extend Quantizer and call tf.serialization.registerClass with it',
  });
}

/** The form in which a layer's configuration holds a quantizer. */
export function serializeQuantizer(quantizer: Quantizer | undefined): Config | null {
  return quantizer === undefined
    ? null
    : { className: quantizer.getClassName(), config: quantizer.getConfig() };
}

/** An option by its name in camelCase, or as Larq writes it. */
function optionOf<T>(options: object, name: string, absent: T): unknown {
  const given = options as Record<string, unknown>;
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const value = name in given ? given[name] : given[snake];
  return value === undefined ? absent : value;
}

function numberOf(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new OptionError(`The option ${name} of a quantizer is a number.`, { given: String(value) });
}
