/**
 * The classes of TensorFlow.js Layers that ours extend. It exports functions that make them, not the classes, so they
 * are taken from instances; the parts that ours read are declared here, as of version 4.22.
 */
import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import {
  constraints,
  type initializers,
  type LayerVariable,
  layers,
  type regularizers,
} from '@tensorflow/tfjs-layers';

type Config = serialization.ConfigDict;
export type Layer = InstanceType<typeof layers.Layer>;
export type Shape = (number | null)[];

/** Something that a layer applies to a tensor: an activation, or a constraint. */
export interface Applied extends serialization.Serializable {
  /** The tensor that takes the place of `x`. */
  apply(x: Tensor): Tensor;
}

/** What Dense has beside the parts of every layer. */
interface DenseParts {
  /** Outputs. */
  readonly units: number;
  /** What follows the sums; null: nothing. */
  readonly activation: Applied | null;
  /** [inputs, units]. */
  readonly kernel: LayerVariable;
  /** [units]; null where it has none. */
  readonly bias: LayerVariable | null;
}

/** What all convolutions have. */
interface ConvolutionParts {
  /** Taps along each axis. */
  readonly kernelSize: number[];
  /** Steps from one window to the next along each axis. */
  readonly strides: number[];
  /** What lies outside the input; see TensorFlow. */
  readonly padding: 'valid' | 'same' | 'causal';
  /** Where the channels are. */
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  /** Steps from one tap to the next along each axis. */
  readonly dilationRate: number[];
  /** What follows the sums; null: nothing. */
  readonly activation: Applied | null;
  /** Whether a bias is added to the sums. */
  readonly useBias: boolean;
  /** [channels out]; null where it has none. */
  bias: LayerVariable | null;
  /** What the bias is before training. */
  readonly biasInitializer: Initializer;
  /** What is added to the loss for the bias. */
  readonly biasRegularizer: Regularizer;
  /** What is applied to the bias after a step. */
  readonly biasConstraint: Constraint;
}
interface ConvParts extends ConvolutionParts {
  /** Channels out. */
  readonly filters: number;
  /** [...kernelSize, channels / groups, filters]; built with the layer. */
  kernel: LayerVariable;
  /** How the kernel is drawn before training. */
  readonly kernelInitializer: Initializer;
  /** What is added to the loss for the kernel. */
  readonly kernelRegularizer: Regularizer;
  /** What is applied to the kernel after a step. */
  readonly kernelConstraint: Constraint;
}
interface DepthwiseParts extends ConvolutionParts {
  /** Outputs of every channel. */
  readonly depthMultiplier: number;
  /** [...kernelSize, channels, depthMultiplier]. */
  readonly depthwiseKernel: LayerVariable;
  /** What is applied to the kernel after a step. */
  readonly depthwiseConstraint: Constraint;
}
interface SeparableParts extends ConvolutionParts {
  /** Channels out. */
  readonly filters: number;
  /** Outputs of every channel between the two. */
  readonly depthMultiplier: number;
  /** [...kernelSize, channels, depthMultiplier]. */
  readonly depthwiseKernel: LayerVariable;
  /** [1, 1, channels · depthMultiplier, filters]. */
  readonly pointwiseKernel: LayerVariable;
  /** How the pointwise kernel is drawn before training. */
  pointwiseInitializer: Initializer;
}
type Initializer = ReturnType<typeof initializers.ones>;
type Regularizer = ReturnType<typeof regularizers.l2>;
type Constraint = ReturnType<typeof constraints.nonNeg>;

type FromConfig = Pick<typeof serialization.Serializable, 'fromConfig'>;
type Made<Parts> = (new (config: Config) => Layer & Parts) & FromConfig;
type MadeApplied = (new () => Applied) & FromConfig;

/** The class of an instance. Named instances take no number from those that unnamed layers are counted with. */
function classOf<T>(instance: object): T {
  return instance.constructor as T;
}
const name = 'base';

export const DenseBase = classOf<Made<DenseParts>>(layers.dense({ units: 1, name }));
export const Conv1DBase = classOf<Made<ConvParts>>(layers.conv1d({ filters: 1, kernelSize: 1, name }));
export const Conv2DBase = classOf<Made<ConvParts>>(layers.conv2d({ filters: 1, kernelSize: 1, name }));
export const DepthwiseConv2DBase = classOf<Made<DepthwiseParts>>(
  layers.depthwiseConv2d({ kernelSize: 1, name }),
);
export const SeparableConv2DBase = classOf<Made<SeparableParts>>(
  layers.separableConv2d({ filters: 1, kernelSize: 1, name }),
);

/** What `kernelConstraint` and its like must be, to be taken as they are. */
export const ConstraintBase = Object.getPrototypeOf(constraints.nonNeg().constructor) as MadeApplied;

/** What `activation` must be, to be taken as it is. */
export const ActivationBase = Object.getPrototypeOf(
  (layers.activation({ activation: 'linear', name }) as unknown as { activation: object }).activation
    .constructor,
) as MadeApplied;
