/**
 * The input side that `quantDense`, `quantConv2d` and the `sign` layer share: binarize an activation, keep for the
 * backward pass one gate bit a value where the surrogate allows it, and gate the gradient on the way back. Inputs whose
 * quantizer has a rule are scale·sign + offset by sample, or sums of such planes: their products are made of products of signs.
 */
import { OptionError } from '../errors.ts';
import type { Tensor } from '../gpu/index.ts';
import type { Quantizer, QuantizerLike } from '../methods/index.ts';
import { isPlainSign } from '../methods/note.ts';
import { packSigns } from '../ops/dense.ts';
import type { Plane, RowContext } from '../ops/rows.ts';
import {
  type Activation,
  asReal,
  type ForwardContext,
  gradientsOf,
  type ParameterSpec,
  type Traits,
} from './layer.ts';
import type { LayerParts } from './parts.ts';
import { learnedParameter, onesOf } from './rows.ts';

/** What a layer does to its input before it multiplies. */
export interface InputOptions {
  /** Binarizes the input; absent, the layer takes it as it is. */
  readonly inputQuantizer?: QuantizerLike;
  /**
   * Values of a sample that share a scale (HadaNets: Akhauri 2019, arXiv 1905.10759: 4, 8 or 16 of them), in the order of height, width and
   * channels: divides their number. The inputQuantizer takes each group for a sample, and has a scale and no offset: `magnitudeAwareSign`, or
   * `xnorNet()` of `webgpu-bnn/methods`, whose gradient goes through scales, too, as in the author's code. Products are of reals:
   * such a network runs on GPUs alone, from safetensors files. Default: a sample has one scale, or none.
   */
  readonly inputGroupScale?: number;
}

export interface QuantizedInput {
  /** Signs of the input, or of the first plane of it. */
  readonly bits: Tensor;
  /** Bit 1 where the gradient passes, for quantizers with a window. */
  readonly gate: Tensor | undefined;
  /** Whether the input is its signs. */
  readonly isPlain: boolean;
  /** Whether it learns: then `parameters` asks for the gradient with respect to the quantized input. */
  readonly learns: boolean;
  /** The product with the quantized input. @param product with signs of the input's shape, or of one sample */
  output(product: (bits: Tensor) => Tensor): Tensor;
  /** The gradient of weights. @param of the one of a product with signs, at a gradient of the outputs */
  gradWeights(gradOutput: Tensor, of: (gradOutput: Tensor, bits: Tensor) => Tensor): Tensor;
  /** Multiplies a gradient by the surrogate. With `gated`, a bit gate was applied to it already. */
  gradient(gradient: Tensor, options?: { gated: boolean }): Tensor;
  /** Gradients of what is learned, by parameter. @param gradient with respect to the quantized input */
  parameters(gradient: Tensor | undefined): Readonly<Record<string, Tensor>>;
}

const LEARNED = 'inputLearned';

/**
 * A quantizer of activations.
 * @throws OptionError for an unknown name, and for one that is for weights alone
 */
export function resolveInputQuantizer(given: QuantizerLike, parts: LayerParts, where: string): Quantizer {
  const quantizer = parts.quantizer(given, where);
  const { row, definition } = quantizer;
  const isByChannel = definition.learned?.per === 'channel' && (row?.hasScale || row?.hasOffset);
  const reason =
    definition.unfit?.activations ??
    (isByChannel ? 'scales and offsets of activations are of samples or of all, not of channels' : undefined);
  if (reason === undefined) return quantizer;
  throw new OptionError("This quantizer isn't for activations.", {
    given: `${quantizer.name}: ${reason}`,
    where,
    remedy: "give 'steSign' say for the input; a kernelQuantizer may be it",
  });
}

/** @throws OptionError for a quantizer that makes something else than signs of values */
export function assertSigns({ name, row }: Quantizer, where: string): void {
  if (row === undefined || !(row.hasScale || row.hasOffset || row.planes > 1)) return;
  throw new OptionError('What this layer gives are signs alone.', {
    given: `${name}, which gives scales, offsets or planes`,
    where,
    remedy: 'give it as inputQuantizer of the layer that reads the values',
  });
}

/** @throws OptionError for padding with signs where the input is no signs */
export function assertPadding(quantizer: Quantizer | undefined, padValue: number, where: string): void {
  const { row, name = '' } = quantizer ?? {};
  if (padValue === 0 || row === undefined || !(row.hasScale || row.hasOffset || row.planes > 1)) return;
  throw new OptionError('Values that are no signs are padded with 0.', {
    given: `padValue ${padValue}, and the quantizer ${name}`,
    where,
  });
}

/** What a layer says of an input with this quantizer. */
export function inputTraits(
  quantizer: Quantizer | undefined,
): Pick<Traits, 'readsSigns' | 'inputRule' | 'quantizers'> {
  if (quantizer === undefined) return { readsSigns: false };
  const quantizers = [quantizer];
  return isPlainSign(quantizer)
    ? { readsSigns: true, quantizers }
    : { readsSigns: false, inputRule: quantizer.name, quantizers };
}

/** What an input's quantizer learns, as a parameter. */
export function inputParameters(quantizer: Quantizer | undefined, channels: number): ParameterSpec[] {
  return learnedParameter(quantizer, LEARNED, channels);
}

/** Binarizes an input; what only a backward pass needs is recorded when training. */
export function quantizeInput(
  context: ForwardContext,
  input: Activation,
  quantizer: Quantizer,
): QuantizedInput {
  if (!isPlainSign(quantizer)) return ruledInput(context, input, quantizer);
  const { builder } = context;
  const plain = (bits: Tensor, gate?: Tensor): Omit<QuantizedInput, 'gradient'> => ({
    ...{ bits, gate, isPlain: true, learns: false },
    output: (product) => product(bits),
    gradWeights: (gradOutput, of) => of(gradOutput, bits),
    parameters: () => ({}),
  });
  const through = (gradient: Tensor) => gradient;
  // The sign of a sign is itself; the surrogate was applied where the sign was taken.
  if (input.kind === 'sign') return { ...plain(input.tensor), gradient: through };
  const x = input.tensor;
  if (!context.training) return { ...plain(packSigns(builder, x)), gradient: through };
  if (quantizer.scalars.length > 0) {
    const { row } = quantizer;
    const statistics = row?.operations.statisticsFor(builder, x, row);
    return { ...plain(packSigns(builder, x)), ...ruledGradients(context, x, quantizer, statistics) };
  }
  const { binarize, binarizeGrad } = gradientsOf(context, 'binarize');
  const { bits, gate } = binarize(builder, x, quantizer);
  return {
    ...plain(bits, gate),
    gradient(gradient, { gated } = { gated: false }) {
      if (gated && gate !== undefined) return gradient;
      return binarizeGrad(builder, gradient, { quantizer, ...(gate === undefined ? { x } : { gate }) });
    },
  };
}

/** An input that is planes of scale·sign + offset. */
function ruledInput(context: ForwardContext, input: Activation, quantizer: Quantizer): QuantizedInput {
  const { builder, training, state, stream } = context;
  const { row: rule, definition } = quantizer;
  if (rule === undefined) throw new OptionError('This quantizer has no rule.', { where: quantizer.name });
  const { statisticsFor, quantizeRows, affineSamples, add } = rule.operations;
  const x = asReal(builder, input);
  const drawn = training ? { state, stream } : {};
  const statistics = statisticsFor(builder, x, rule);
  const planes = quantizeRows(builder, x, rule, { ...ruleContext(context, quantizer), ...drawn, statistics });
  const [first] = planes as [Plane, ...Plane[]];
  const { bits } = first;
  const scaled = (g: Tensor, scale: Tensor | undefined) =>
    scale === undefined ? g : affineSamples(builder, g, { scale });
  return {
    ...{ bits, gate: undefined, isPlain: false, learns: definition.learned !== undefined },
    output(product) {
      const isAffine = rule.hasScale || rule.hasOffset || planes.length > 1;
      if (!isAffine) return product(bits);
      // Of an offset, the product with ones: the same for every sample.
      const constants = rule.hasOffset ? product(onesOf(builder, rule, [1, ...x.shape.slice(1)])) : undefined;
      return planes.reduce<Tensor | undefined>(
        (added, plane) =>
          affineSamples(builder, product(plane.bits), {
            scale: plane.scale,
            offset: plane.offset && constants && { factor: plane.offset, constants },
            added,
          }),
        undefined,
      ) as Tensor;
    },
    gradWeights(gradOutput, of) {
      const ones = rule.hasOffset ? onesOf(builder, rule, x.shape) : undefined;
      const parts = planes.flatMap(({ bits: signs, scale, offset }) => [
        of(scaled(gradOutput, scale), signs),
        ...(offset === undefined || ones === undefined ? [] : [of(scaled(gradOutput, offset), ones)]),
      ]);
      return parts.reduce((sum, part) => add(builder, sum, part));
    },
    ...ruledGradients(context, x, quantizer, statistics),
  };
}

function ruleContext(context: ForwardContext, { definition }: Quantizer): RowContext {
  const learned = definition.learned === undefined ? undefined : context.parameter(LEARNED).value;
  return { learned, channels: 'last' };
}

/** Gradients of values and of what is learned, by a rule or by numbers that change from step to step. */
function ruledGradients(
  context: ForwardContext,
  x: Tensor,
  quantizer: Quantizer,
  statistics: Tensor | undefined,
): Pick<QuantizedInput, 'gradient' | 'parameters'> {
  const { builder, numbersOf, state } = context;
  const { row: rule, passing, scalars, name } = quantizer;
  const own = ruleContext(context, quantizer);
  const options = () => ({
    ...{ x, rule, passing, statistics },
    ...own,
    ...(scalars.length > 0 && { table: numbersOf?.(quantizer), state }),
  });
  return {
    gradient: (gradient) => gradientsOf(context, name).rowGradient(builder, gradient, options()),
    parameters(gradient) {
      const { learned } = own;
      if (learned === undefined || gradient === undefined) return {};
      const { learnedGradient } = gradientsOf(context, name);
      return { [LEARNED]: learnedGradient(builder, gradient, { ...options(), learned }) };
    },
  };
}
