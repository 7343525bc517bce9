/** Pooling layers over [height, width, channels]. */

import type { ProgramBuilder, Shape, Tensor } from '../gpu/index.ts';
import { packSigns } from '../ops/dense.ts';
import {
  averagePool2d as averagePool2dOp,
  globalAveragePool2d as globalAveragePool2dOp,
  maxPool2d as maxPool2dOp,
  type Pool2dOptions,
  resolvePool2d,
  signPool2d as signPool2dOp,
} from '../ops/pool.ts';
import { layerName, namesOf } from '../options.ts';
import { assertInference, noGradient, perChannel } from './inference.ts';
import {
  asReal,
  asSigns,
  assertRank,
  gradientsOf,
  holdsIntegers,
  type Layer,
  onlyInput,
  real,
} from './layer.ts';

/** Options of layers that pool windows. */
export interface Pool2dLayerOptions extends Pool2dOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
}

const POOL2D_OPTIONS = namesOf<Pool2dLayerOptions>({
  name: true,
  poolSize: true,
  strides: true,
  padding: true,
});

/**
 * Largest value of each window; its gradient goes to the first one where several are equal. Signs stay packed signs, when
 * not training.
 * @example
 * ```ts
 * import { maxPool2d, sequential } from 'webgpu-bnn';
 *
 * sequential([maxPool2d({ poolSize: 2 })], { input: [8, 8, 16] });
 * ```
 */
export function maxPool2d(options: Pool2dLayerOptions): Layer {
  const layer = makePool('maxPool2d', options, maxPool2dOp, 'maxPool2dGrad');
  const { name, ...window } = options;
  return {
    ...layer,
    traits: { output: 'selection', pooling: window },
    forward(context, inputs) {
      const input = onlyInput(inputs, name ?? layer.kind);
      if (context.training || input.kind === 'real') return layer.forward(context, inputs);
      return {
        output: { kind: 'sign', tensor: signPool2dOp(context.builder, input.tensor, window) },
        backward: () => noGradient(name ?? layer.kind),
      };
    },
  };
}

/**
 * Pooling of signs, for inference: the largest of each window in channels whose parameter `direction`, [channels], is 1, and
 * the smallest where it is −1. What a maximum comes to that is taken after thresholds of either direction instead of before
 * them. Input signs, or reals whose signs are taken; output signs.
 * @example
 * ```ts
 * import { sequential, sign, signPool2d } from 'webgpu-bnn';
 *
 * sequential([sign(), signPool2d({ poolSize: 2 })], { input: [8, 8, 32] });
 * ```
 */
export function signPool2d(options: Pool2dLayerOptions): Layer {
  layerName(options, POOL2D_OPTIONS, 'signPool2d');
  const { name: given, ...window } = options;
  const where = given ?? 'signPool2d';
  return {
    name: given,
    kind: 'signPool2d',
    config: { ...options },
    traits: { output: 'signs', readsSigns: true, pooling: window },
    outputShape: (inputs, name) => pooledShape(onlyInput(inputs, name), window, name),
    parameters: (inputs) => perChannel(onlyInput(inputs, where)[2] ?? 1, { direction: 1 }),
    forward(context, inputs) {
      const { builder, training, parameter } = context;
      assertInference(training, where);
      const input = onlyInput(inputs, where);
      const bits = asSigns(builder, input);
      const direction = packSigns(builder, parameter('direction').value);
      return {
        output: { kind: 'sign', tensor: signPool2dOp(builder, bits, { ...window, direction }) },
        backward: () => noGradient(where),
      };
    },
  };
}

/**
 * Mean of each window; padding doesn't count (TensorFlow's rule).
 * @example
 * ```ts
 * import { averagePool2d, sequential } from 'webgpu-bnn';
 *
 * sequential([averagePool2d({ poolSize: 2 })], { input: [8, 8, 16] });
 * ```
 */
export function averagePool2d(options: Pool2dLayerOptions): Layer {
  return makePool('averagePool2d', options, averagePool2dOp, 'averagePool2dGrad');
}

/**
 * Mean over height and width: [height, width, channels] to [channels].
 * @example
 * ```ts
 * import { globalAveragePool2d, sequential } from 'webgpu-bnn';
 *
 * sequential([globalAveragePool2d()], { input: [8, 8, 16] });
 * ```
 */
export function globalAveragePool2d(options: { readonly name?: string } = {}): Layer {
  const where = layerName(options, ['name'], 'globalAveragePool2d');
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
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(globalAveragePool2dOp(builder, x)),
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where).globalAveragePool2dGrad(builder, gradOutput, x)
              : undefined,
          ],
        }),
      };
    },
  };
}

function pooledShape(input: Shape, window: Pool2dOptions, name: string): Shape {
  assertRank(input, 3, name);
  return resolvePool2d([1, ...input], window, name).outputShape.slice(1);
}

function makePool(
  kind: string,
  options: Pool2dLayerOptions,
  pool: (builder: ProgramBuilder, x: Tensor, options: Pool2dOptions) => Tensor,
  gradient: 'maxPool2dGrad' | 'averagePool2dGrad',
): Layer {
  layerName(options, POOL2D_OPTIONS, kind);
  const { name: given, ...window } = options;
  const where = given ?? kind;
  return {
    name: given,
    kind,
    config: { ...options },
    outputShape: (inputs, name) => pooledShape(onlyInput(inputs, name), window, name),
    parameters: () => [],
    forward(context, inputs) {
      const { builder, wantsInputGradient } = context;
      const input = onlyInput(inputs, where);
      const x = asReal(builder, input);
      return {
        output: {
          ...real(pool(builder, x, window)),
          integers: gradient === 'maxPool2dGrad' && holdsIntegers(input),
        },
        backward: (gradOutput) => ({
          inputs: [
            wantsInputGradient[0]
              ? gradientsOf(context, where)[gradient](builder, gradOutput, x, window)
              : undefined,
          ],
        }),
      };
    },
  };
}
