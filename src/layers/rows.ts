/**
 * Weights that are scale·sign + offset by filter, as products see them: what follows a product of signs, and what comes before
 * its gradient. The scales and offsets are parameters `kernelScale` and `kernelOffset`, [filters] each, which are derived
 * from the latent weights with their signs, and are all that inference needs of them.
 */
import type { ProgramBuilder, Tensor } from '../gpu/index.ts';
import { affineColumns } from '../ops/columns.ts';
import { packSigns } from '../ops/dense.ts';
import { add, fill } from '../ops/elementwise.ts';
import { type ForwardContext, type Parameter, type ParameterSpec, prepared } from './layer.ts';

/** The kernel, and what goes with it. */
export function withRows(kernel: ParameterSpec): ParameterSpec[] {
  const { hasScale = false, hasOffset = false } = kernel.quantizer?.row ?? {};
  const [filters = 1] = kernel.shape;
  const beside = (name: string, value: number): ParameterSpec => ({
    name: `${kernel.name}${name}`,
    shape: [filters],
    role: 'statistic',
    initializer: { kind: 'constant', value },
    fanIn: 1,
    fanOut: filters,
  });
  return [kernel, ...(hasScale ? [beside('Scale', 1)] : []), ...(hasOffset ? [beside('Offset', 0)] : [])];
}

export interface RowTensors {
  readonly scale: Tensor | undefined;
  readonly offset: Tensor | undefined;
}

/** The tensors of a kernel's scales and offsets, where it has them. @param parameterOf by the name that `kernel` has, and an ending */
export function rowTensors(
  kernel: Parameter,
  parameterOf: (ending: 'Scale' | 'Offset') => Parameter | undefined,
): RowTensors {
  const { hasScale = false, hasOffset = false } = kernel.spec.quantizer?.row ?? {};
  return {
    scale: hasScale ? parameterOf('Scale')?.value : undefined,
    offset: hasOffset ? parameterOf('Offset')?.value : undefined,
  };
}

/** A product of packed signs and its gradient, made into those of weights that are scale·sign + offset. */
export interface RowProduct {
  /** Whether weights are their signs, and nothing is added to the pass. */
  readonly isPlain: boolean;
  /**
   * @param product of the packed signs
   * @param multiply the same with other packed weights of as many filters, or of one a group
   */
  output(product: Tensor, multiply: (packed: Tensor) => Tensor): Tensor;
  /** @param through the gradient with respect to the input, through a product of packed weights */
  gradInput(gradOutput: Tensor, through: (gradOutput: Tensor, packed: Tensor) => Tensor): Tensor;
}

/** How a layer's product with its parameter `kernel` is made whole. @param groups of a grouped convolution */
export function rowProduct(context: ForwardContext, packed: Tensor, groups = 1): RowProduct {
  const { builder, parameter } = context;
  const { scale, offset } = rowTensors(parameter('kernel'), (ending) => parameter(`kernel${ending}`));
  if (scale === undefined && offset === undefined) {
    return {
      isPlain: true,
      output: (product) => product,
      gradInput: (gradOutput, through) => through(gradOutput, packed),
    };
  }
  return {
    isPlain: false,
    output(product, multiply) {
      if (offset === undefined) return affineColumns(builder, product, { scale });
      const ones = prepared(context, 'ones', (b) => onesOf(b, [groups, ...packed.shape.slice(1)]));
      return affineColumns(builder, product, { scale, offset: { factor: offset, sums: multiply(ones) } });
    },
    gradInput(gradOutput, through) {
      const scaled = scale === undefined ? gradOutput : affineColumns(builder, gradOutput, { scale });
      const gradInput = through(scaled, packed);
      if (offset === undefined) return gradInput;
      const shifted = affineColumns(builder, gradOutput, { scale: offset });
      return add(builder, gradInput, through(shifted, onesOf(builder, packed.shape)));
    },
  };
}

/** Packed weights that are all +1. */
function onesOf(builder: ProgramBuilder, shape: readonly number[]): Tensor {
  const ones = builder.transient('ones', shape, 'f32');
  fill(builder, ones, 1);
  return packSigns(builder, ones);
}
