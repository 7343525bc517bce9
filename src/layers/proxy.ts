/** `quantProxyDense` and `quantProxyConv2d`: binary weights that are signs of a product of two learned matrices. */
import { OptionError } from '../errors.ts';
import type { Shape, Tensor } from '../gpu/index.ts';
import { isPlainSign, notedConfig } from '../methods/note.ts';
import { resolveQuantizer } from '../methods/quantizers/index.ts';
import { matMul, packSigns } from '../ops/dense.ts';
import { layerName, namesOf } from '../options.ts';
import type { QuantConv2dOptions } from './conv2d.ts';
import type { QuantDenseOptions } from './dense.ts';
import { type ForwardContext, gradientsOf, type Layer, type Parameter, type ParameterSpec } from './layer.ts';
import { withKernel } from './made-kernel.ts';
import { quantConv2d, quantDense } from './named.ts';

type Without = 'groupScale' | 'inputGroupScale' | 'kernelRotation' | 'kernelConstraint';

/** Options of `quantProxyDense`: those of `quantDense`, whose weights are a product. */
export interface QuantProxyDenseOptions extends Omit<QuantDenseOptions, Without> {}

/** Options of `quantProxyConv2d`: those of `quantConv2d`, whose weights are a product. */
export interface QuantProxyConv2dOptions extends Omit<QuantConv2dOptions, Without> {}

const COMMON = {
  name: true,
  useBias: true,
  inputQuantizer: true,
  kernelQuantizer: true,
  kernelInitializer: true,
} as const;
const DENSE_OPTIONS = namesOf<QuantProxyDenseOptions>({ ...COMMON, units: true });
const CONV2D_OPTIONS = namesOf<QuantProxyConv2dOptions>({
  ...COMMON,
  filters: true,
  kernelSize: true,
  inputIntegers: true,
  strides: true,
  dilations: true,
  groups: true,
  padding: true,
  padValue: true,
});

/**
 * A fully connected layer with the weights sign(C·B) (ProxyBNN: He et al., ECCV 2020): coefficients C, `kernel` [units, inputs], of the
 * rows of a learned B, `basis` [inputs, inputs], the paper's proxy matrix. With g the gradient of C·B, which the kernelQuantizer passes,
 * that of C is g·Bᵀ and that of B is Cᵀ·g. Of the paper the abstract was at hand. Our reading: B is one of the layer, as wide as what flows
 * in, and begins as the identity, so that the layer begins as `quantDense`. Both are reals, that nothing clips. Run, it is `quantDense` with
 * a bit a weight, and `convert --fold` writes it so: other files hold C and B. Without a kernelQuantizer the weights are C·B itself; where C·B is 0 but for rounding, its sign may be another one than in training.
 * @throws OptionError for a kernelQuantizer that gives something else than the signs of weights
 * @example
 * ```ts
 * import { quantProxyDense, sequential } from 'webgpu-bnn';
 *
 * sequential([quantProxyDense({ units: 10, kernelQuantizer: 'steSign' })], { input: [64] });
 * ```
 */
export function quantProxyDense(options: QuantProxyDenseOptions): Layer {
  layerName(options, DENSE_OPTIONS, 'quantProxyDense');
  return ofProduct('quantProxyDense', options, quantDense(options));
}

/**
 * A convolution with the weights sign(C·B), as `quantProxyDense` has them: `kernel` C [filters, height, width, channels] and `basis` B
 * [channels, channels], which mixes the channels of every tap; of a grouped convolution, those of a group.
 * @throws OptionError for a kernelQuantizer that gives something else than the signs of weights
 * @example
 * ```ts
 * import { quantProxyConv2d, sequential } from 'webgpu-bnn';
 *
 * const both = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
 * sequential([quantProxyConv2d({ filters: 16, kernelSize: 3, ...both })], { input: [8, 8, 32] });
 * ```
 */
export function quantProxyConv2d(options: QuantProxyConv2dOptions): Layer {
  layerName(options, CONV2D_OPTIONS, 'quantProxyConv2d');
  return ofProduct('quantProxyConv2d', options, quantConv2d(options));
}

/** @param whole the layer with a kernel of its own */
function ofProduct(
  kind: string,
  options: QuantProxyDenseOptions | QuantProxyConv2dOptions,
  whole: Layer,
): Layer {
  const where = whole.name ?? kind;
  const { product: _, quantizers = [], ...traits } = whole.traits ?? {};
  const quantizer = options.kernelQuantizer && resolveQuantizer(options.kernelQuantizer, where);
  if (quantizer && !isPlainSign(quantizer)) {
    throw new OptionError('Weights that are products are signs alone.', {
      given: `${quantizer.name}, which has a rule for rows`,
      where,
      remedy: "'steSign' or 'approxSign', say",
    });
  }
  const kernelOf = (inputs: readonly Shape[]) => whole.parameters(inputs).find(isKernel) as ParameterSpec;
  return {
    ...whole,
    kind,
    config: notedConfig(options),
    traits: {
      ...traits,
      quantizers: quantizer ? [...quantizers, quantizer] : quantizers,
      parts: (inputs) => [
        {
          layer: whole,
          parameters: {
            kernel: {
              of: ['kernel', 'basis'],
              make: (coefficients, basis) =>
                productOf(coefficients, basis, kernelOf(inputs).shape.at(-1) ?? 1),
            },
          },
        },
      ],
    },
    parameters: (inputs) =>
      whole.parameters(inputs).flatMap((spec): ParameterSpec[] => {
        if (!isKernel(spec)) return [spec];
        const { name, shape, fanIn, fanOut, initializer } = spec;
        const width = shape.at(-1) ?? 1;
        return [
          { name, shape, fanIn, fanOut, initializer, role: 'real' },
          {
            ...{ name: 'basis', shape: [width, width], role: 'real', initializer: { kind: 'identity' } },
            ...{ fanIn: width, fanOut: width },
          },
        ];
      }),
    forward(context, inputs) {
      const { builder } = context;
      const [coefficients, basis] = [context.parameter('kernel'), context.parameter('basis')];
      const { shape } = coefficients.spec;
      const rows = (x: Tensor) => x.reshape([x.size / (shape.at(-1) ?? 1), shape.at(-1) ?? 1]);
      const spec = kernelOf(inputs.map(({ tensor }) => tensor.shape.slice(1)));
      const value = matMul(builder, rows(coefficients.value), basis.value).reshape(shape);
      const packed = spec.role === 'binary' ? packSigns(builder, value) : undefined;
      const kernel: Parameter = { name: coefficients.name, spec, value, packed };
      return withKernel(whole, context, inputs, kernel, (gradient) => {
        const passed = rows(passedBy(context, spec, value, gradient));
        return {
          kernel: matMul(builder, passed, basis.value, { transposeB: true }).reshape(shape),
          basis: matMul(builder, rows(coefficients.value), passed, { transposeA: true }),
        };
      });
    },
  };
}

function isKernel({ name }: ParameterSpec): boolean {
  return name === 'kernel';
}

/** What the quantizer of weights passes of their gradient. */
function passedBy(
  context: ForwardContext,
  { quantizer }: ParameterSpec,
  value: Tensor,
  gradient: Tensor,
): Tensor {
  if (quantizer === undefined) return gradient;
  const { builder, numbersOf, state } = context;
  const { row: rule, passing, scalars, name } = quantizer;
  const { rowGradient, statisticsFor } = gradientsOf(context, name);
  return rowGradient(builder, gradient, {
    ...{ x: value, rule, passing, statistics: statisticsFor(builder, value, rule) },
    ...(scalars.length > 0 && { table: numbersOf?.(quantizer), state }),
  });
}

/** C·B in float64, rounded. */
function productOf(coefficients: Float32Array, basis: Float32Array, width: number): Float32Array {
  return coefficients.map((_, at) => {
    const [first, column] = [at - (at % width), at % width];
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (coefficients[first + i] ?? 0) * (basis[i * width + column] ?? 0);
    return sum;
  });
}
