/** Pooling layers over [height, width, channels]. */
import type { ProgramBuilder, Shape, Tensor } from '../gpu/index.ts';
import {
  averagePool2dGrad,
  averagePool2d as averagePool2dOp,
  globalAveragePool2dGrad,
  globalAveragePool2d as globalAveragePool2dOp,
  maxPool2dGrad,
  maxPool2d as maxPool2dOp,
  type Pool2dOptions,
  resolvePool2d,
} from '../ops/pool.ts';
import { asReal, assertRank, type Layer, onlyInput, real } from './layer.ts';

export interface Pool2dLayerOptions extends Pool2dOptions {
  readonly name?: string;
}

/** Largest value of each window; its gradient goes to the first one where several are equal. */
export function maxPool2d(options: Pool2dLayerOptions): Layer {
  return makePool('maxPool2d', options, maxPool2dOp, maxPool2dGrad);
}

/** Mean of each window; padding doesn't count (TensorFlow's rule). */
export function averagePool2d(options: Pool2dLayerOptions): Layer {
  return makePool('averagePool2d', options, averagePool2dOp, averagePool2dGrad);
}

/** Mean over height and width: [height, width, channels] to [channels]. */
export function globalAveragePool2d(options: { readonly name?: string } = {}): Layer {
  const where = options.name ?? 'globalAveragePool2d';
  return {
    name: options.name,
    kind: 'globalAveragePool2d',
    config: { ...options },
    outputShape(inputs, name) {
      const input = onlyInput(inputs, name);
      assertRank(input, 3, name);
      return input.slice(2);
    },
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(globalAveragePool2dOp(builder, x)),
        backward: (gradOutput) => ({
          inputs: [wantsInputGradient[0] ? globalAveragePool2dGrad(builder, gradOutput, x) : undefined],
        }),
      };
    },
  };
}

function makePool(
  kind: string,
  options: Pool2dLayerOptions,
  pool: (builder: ProgramBuilder, x: Tensor, options: Pool2dOptions) => Tensor,
  poolGrad: (builder: ProgramBuilder, gradOutput: Tensor, x: Tensor, options: Pool2dOptions) => Tensor,
): Layer {
  const { name: given, ...window } = options;
  const where = given ?? kind;
  return {
    name: given,
    kind,
    config: { ...options },
    outputShape(inputs, name): Shape {
      const input = onlyInput(inputs, name);
      assertRank(input, 3, name);
      return resolvePool2d([1, ...input], window, name).outputShape.slice(1);
    },
    parameters: () => [],
    forward({ builder, wantsInputGradient }, inputs) {
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(pool(builder, x, window)),
        backward: (gradOutput) => ({
          inputs: [wantsInputGradient[0] ? poolGrad(builder, gradOutput, x, window) : undefined],
        }),
      };
    },
  };
}
