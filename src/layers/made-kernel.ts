/** Layers whose kernel is made of other parameters while the network runs: complex weights, products of two. */
import type { Tensor } from '../gpu/index.ts';
import type { Activation, Forward, ForwardContext, Layer, Parameter } from './layer.ts';

/**
 * Runs a layer with a kernel that was made for it.
 * @param kernel what the layer has in place of the parameter of this name
 * @param gradientsOf the gradients of what it was made of, by parameter, from that of the kernel
 */
export function withKernel(
  whole: Layer,
  context: ForwardContext,
  inputs: readonly Activation[],
  kernel: Parameter,
  gradientsOf: (gradient: Tensor) => Readonly<Record<string, Tensor>>,
): Forward {
  const parameter = (name: string) => (name === 'kernel' ? kernel : context.parameter(name));
  const pass = whole.forward({ ...context, parameter }, inputs);
  return {
    ...pass,
    backward(gradOutput) {
      const { parameters: { kernel: gradient, ...others } = {}, ...gradients } = pass.backward(gradOutput);
      const own = gradient && gradientsOf(gradient);
      return { ...gradients, parameters: { ...others, ...own } };
    },
  };
}
