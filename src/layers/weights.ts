/** The weight side that dense and convolutional layers share. */
import { OptionError } from '../errors.ts';
import type { ProgramBuilder, Shape, Tensor } from '../gpu/index.ts';
import type { QuantizerLike } from '../methods/index.ts';
import type { Initializer, ParameterSpec } from './layer.ts';
import type { LayerParts } from './parts.ts';

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

/** Whether the weights of a layer are rotated before their signs are taken. */
export interface RotationOptions {
  /**
   * Generalized binarization of the weights (Anderson & Berg 2018): they are used as Rᵀ·sign(R·w), every filter rotated
   * by the same R, with the gradient passed straight through. For layers whose weights have few large entries, first
   * layers say, whose plain signs point elsewhere. The products are of reals; in place of a kernelQuantizer.
   * `packRotations` makes products of packed signs of those of `quantDense`, once they are trained.
   */
  readonly kernelRotation?: KernelRotation;
}

/** The weights that a layer multiplies with: the parameter's values, or what their rotation makes of them. */
export function usedWeights(
  builder: ProgramBuilder,
  value: Tensor,
  { kernelRotation }: RotationOptions,
  parts: LayerParts,
): Tensor {
  if (kernelRotation === undefined) return value;
  return rotationOf(parts).rotatedSigns(builder, { x: value, ...kernelRotation });
}

/** @throws OptionError where a layer was made without what rotations need */
function rotationOf({ rotation }: LayerParts): NonNullable<LayerParts['rotation']> {
  if (rotation !== undefined) return rotation;
  throw new OptionError('A layer with a rotation was made without what rotations need.', {
    where: 'kernelRotation',
  });
}

/**
 * Checks the options of a layer's `kernel` parameter once, when the layer is made.
 * @returns its specification as a function of the shape and the fans
 * @throws OptionError
 */
export function kernelOf(
  options: KernelOptions & RotationOptions,
  parts: LayerParts,
  where: string,
): (shape: Shape, fanIn: number, fanOut: number) => ParameterSpec {
  const initializer = options.kernelInitializer ?? { kind: 'glorotUniform' };
  if (options.kernelRotation !== undefined) {
    rotationOf(parts).assertRotation(options.kernelRotation, where);
    if (options.kernelQuantizer !== undefined) {
      throw new OptionError('Weights are binarized as they are, or rotated first.', {
        given: 'kernelQuantizer and kernelRotation',
        where,
        remedy: 'leave one of them away',
      });
    }
  }
  if (options.kernelQuantizer === undefined) {
    if (options.kernelConstraint === 'weightClip') {
      throw new OptionError('weightClip is for binary weights, and this layer has real ones.', {
        where,
        remedy: "give a kernelQuantizer, 'steSign' say, or leave kernelConstraint away",
      });
    }
    return (shape, fanIn, fanOut) => ({ name: 'kernel', shape, initializer, fanIn, fanOut, role: 'real' });
  }
  const quantizer = parts.quantizer(options.kernelQuantizer, where);
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
    shape,
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
