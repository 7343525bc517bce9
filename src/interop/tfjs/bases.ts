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
  apply(x: Tensor): Tensor;
}

/** What Dense has beside the parts of every layer. */
interface DenseParts {
  readonly units: number;
  readonly activation: Applied | null;
  readonly kernel: LayerVariable;
  readonly bias: LayerVariable | null;
}

/** What all convolutions have. */
interface ConvolutionParts {
  readonly kernelSize: number[];
  readonly strides: number[];
  readonly padding: 'valid' | 'same' | 'causal';
  readonly dataFormat: 'channelsFirst' | 'channelsLast';
  readonly dilationRate: number[];
  readonly activation: Applied | null;
  readonly useBias: boolean;
  bias: LayerVariable | null;
  readonly biasInitializer: Initializer;
  readonly biasRegularizer: Regularizer;
  readonly biasConstraint: Constraint;
}
interface ConvParts extends ConvolutionParts {
  readonly filters: number;
  kernel: LayerVariable;
  readonly kernelInitializer: Initializer;
  readonly kernelRegularizer: Regularizer;
  readonly kernelConstraint: Constraint;
}
interface DepthwiseParts extends ConvolutionParts {
  readonly depthMultiplier: number;
  readonly depthwiseKernel: LayerVariable;
  readonly depthwiseConstraint: Constraint;
}
interface SeparableParts extends ConvolutionParts {
  readonly filters: number;
  readonly depthMultiplier: number;
  readonly depthwiseKernel: LayerVariable;
  readonly pointwiseKernel: LayerVariable;
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
