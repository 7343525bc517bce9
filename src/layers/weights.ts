/** The weight side that dense and convolutional layers share. */
import { OptionError } from '../errors.ts';
import type { Shape } from '../gpu/index.ts';
import type { QuantizerLike } from '../methods/index.ts';
import type { ForwardContext, Initializer, ParameterSpec } from './layer.ts';
import type { LayerParts } from './parts.ts';
import type { UsedWeights } from './rows.ts';

/** How the weights of a layer begin, are quantized and are kept in bounds. */
export interface KernelOptions {
  /** Binarizes the weights; absent, they are used as they are. */
  readonly kernelQuantizer?: QuantizerLike;
  /** `weightClip` keeps latent weights in [−1, 1]. Default: on for binary weights. `none` switches it off. */
  readonly kernelConstraint?: 'weightClip' | 'none';
  /** Default `glorotUniform`, as in Larq. */
  readonly kernelInitializer?: Initializer;
}

/** A fixed pseudo-random rotation: `rounds` times random signs and a Walsh–Hadamard transform. */
export interface KernelRotation {
  /** 0 to 2³² − 1; 0 when absent. */
  readonly seed?: number;
  /** 3 when absent, after which angles are those of a random rotation. */
  readonly rounds?: number;
}

/** What a layer does with its weights beside taking their signs. */
export interface WeightOptions {
  /**
   * Generalized binarization of the weights (Anderson & Berg 2018): they are used as Rᵀ·sign(R·w), every filter rotated
   * by the same R, with the gradient passed straight through. For layers whose weights have few large entries, first
   * layers say, whose plain signs point elsewhere. The products are of reals; in place of a kernelQuantizer.
   * `packRotations` makes products of packed signs of those of `quantDense`, once they are trained.
   */
  readonly kernelRotation?: KernelRotation;
  /**
   * Weights along a filter (height, width and channels of a convolution's) that share a scale, as in language models of one bit (groups
   * of 128) and HadaNets (Akhauri 2019, arXiv 1905.10759: groups of 4 to 16): divides the weights of a filter. The kernelQuantizer, which
   * takes each group for a filter, has a scale and no offset: `magnitudeAwareSign`, say. `kernel` is [groups of all filters, groupScale],
   * and `kernelScale` has a scale for each. Products are of reals; of multiples of 32 those of whole rows are `ops.groupedSignMatMul`.
   * Default: a filter has one scale, or none.
   */
  readonly groupScale?: number;
}

/** The weights that a layer multiplies with. @param shape which they have, whatever that of the parameter */
export function usedWeights(
  context: ForwardContext,
  shape: Shape,
  { kernelRotation, groupScale }: WeightOptions,
  parts: LayerParts,
): UsedWeights {
  const kernel = context.parameter('kernel');
  if (groupScale !== undefined) return part(parts, 'groups').groupedWeights(context, kernel, shape);
  const { value, packed } = kernel;
  if (kernelRotation === undefined) return { value, packed };
  const rotated = part(parts, 'rotation').rotatedSigns(context.builder, { x: value, ...kernelRotation });
  return { value: rotated, packed };
}

/** @throws OptionError where a layer was made without what its options need */
function part<K extends 'rotation' | 'groups'>(parts: LayerParts, name: K): NonNullable<LayerParts[K]> {
  const found = parts[name];
  if (found) return found;
  throw new OptionError('A layer was made without what its options need.', { where: name });
}

/**
 * Checks the options of a layer's `kernel` parameter once, when the layer is made.
 * @returns its specification as a function of the shape and the fans
 * @throws OptionError
 */
export function kernelOf(
  options: KernelOptions & WeightOptions,
  parts: LayerParts,
  where: string,
): (shape: Shape, fanIn: number, fanOut: number) => ParameterSpec {
  const initializer = options.kernelInitializer ?? { kind: 'glorotUniform' };
  if (options.kernelRotation !== undefined) {
    part(parts, 'rotation').assertRotation(options.kernelRotation, where);
    const other = (['kernelQuantizer', 'groupScale'] as const).find((name) => options[name] !== undefined);
    if (other !== undefined) {
      throw new OptionError('Weights are binarized as they are, or rotated first.', {
        given: `${other} and kernelRotation`,
        where,
        remedy: 'leave one of them away',
      });
    }
  }
  const quantizer = options.kernelQuantizer && parts.quantizer(options.kernelQuantizer, where);
  const { groupScale } = options;
  const shapeOf =
    groupScale === undefined
      ? (shape: Shape) => shape
      : part(parts, 'groups').groupsOf(groupScale, quantizer, where);
  if (quantizer === undefined) {
    if (options.kernelConstraint === 'weightClip') {
      throw new OptionError('weightClip is for binary weights, and this layer has real ones.', {
        where,
        remedy: "give a kernelQuantizer, 'steSign' say, or leave kernelConstraint away",
      });
    }
    return (shape, fanIn, fanOut) => ({ name: 'kernel', shape, initializer, fanIn, fanOut, role: 'real' });
  }
  const reason =
    quantizer.definition.unfit?.weights ??
    (quantizer.row?.isRandom ? 'what is drawn by chance is drawn anew in every pass' : undefined);
  if (reason !== undefined) {
    throw new OptionError("This quantizer isn't for weights.", {
      given: `${quantizer.name}: ${reason}`,
      where,
      remedy: 'give it as inputQuantizer',
    });
  }
  return (shape, fanIn, fanOut) => ({
    name: 'kernel',
    shape: shapeOf(shape),
    initializer,
    fanIn,
    fanOut,
    role: 'binary',
    quantizer,
    weightClip: options.kernelConstraint !== 'none',
  });
}

export function zeroBias(units: number): ParameterSpec {
  const initializer: Initializer = { kind: 'constant', value: 0 };
  return { name: 'bias', shape: [units], role: 'real', initializer, fanIn: 1, fanOut: units };
}
