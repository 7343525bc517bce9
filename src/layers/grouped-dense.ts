/** `groupedDense`: a fully connected layer whose binary weights have a scale for each group of them along a row. */
import { OptionError, ShapeError } from '../errors.ts';
import type { Shape, Tensor } from '../gpu/index.ts';
import { notedConfig } from '../methods/note.ts';
import { resolveQuantizer } from '../methods/quantizers/index.ts';
import { matMul, unpackSigns } from '../ops/dense.ts';
import { addBias } from '../ops/elementwise.ts';
import { groupedSignMatMul } from '../ops/grouped.ts';
import { affineSamples } from '../ops/samples.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import type { DenseOptions } from './dense.ts';
import {
  asReal,
  assertCount,
  assertRank,
  type ForwardContext,
  gradientsOf,
  type Layer,
  onlyInput,
  type Parameter,
  real,
} from './layer.ts';
import { rowTensors, withRows } from './rows.ts';
import { kernelOf, zeroBias } from './weights.ts';

/** Options of `groupedDense`. */
export interface GroupedDenseOptions extends DenseOptions {
  /** Weights along a row that share a scale: divides the inputs. Multiples of 32 are multiplied as packed bits. */
  readonly groupScale: number;
}

const OPTIONS = namesOf<GroupedDenseOptions>({
  name: true,
  units: true,
  groupScale: true,
  useBias: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
});

/**
 * y = Σ_g d_g · Σ_{i in g} s_i·x_i + b with real activations x, signs s of latent weights and a scale d for each `groupScale` of them
 * along a row: layers of language models of one bit (groups of 128), and HadaNets' weights (Akhauri 2019, arXiv 1905.10759: groups of
 * 4 to 16). The quantizer, `magnitudeAwareSign` where none is given, takes each group for a row; it must have a scale and no offset.
 * Parameters: `kernel` [units · groups, groupScale], a row of weights after another, and `kernelScale` [units · groups], which follows
 * the latent weights and counts as constant in gradients. Folding keeps the layer: scales of groups go into no threshold. The
 * WebAssembly engine multiplies reals there, and so does what is written to ONNX; files of this library hold the layer as it is.
 * @throws OptionError for options that are not right; ShapeError where groups don't divide the inputs
 * @example
 * ```ts
 * import { groupedDense, sequential } from 'webgpu-bnn';
 *
 * sequential([groupedDense({ units: 10, groupScale: 32 })], { input: [64] });
 * ```
 */
export function groupedDense(options: GroupedDenseOptions): Layer {
  const kind = 'groupedDense';
  const where = options.name ?? kind;
  assertKnownOptions(options, OPTIONS, where);
  const { units, groupScale, useBias = false, kernelQuantizer = 'magnitudeAwareSign' } = options;
  assertCount(units, 'units', where);
  assertCount(groupScale, 'groupScale', where);
  const quantizer = resolveQuantizer(kernelQuantizer, where);
  const { row, definition } = quantizer;
  if (row?.hasScale !== true || row.hasOffset || row.planes > 1 || definition.learned !== undefined) {
    throw new OptionError('The weights of a group are signs times one scale.', {
      given: quantizer.name,
      expected: 'a quantizer with a scale, and without an offset, further planes or learned numbers',
      where: `${where}: kernelQuantizer`,
      remedy: "leave it away, for 'magnitudeAwareSign'",
    });
  }
  const kernelFor = kernelOf(
    { ...options, kernelQuantizer: quantizer },
    { quantizer: resolveQuantizer, quantizers: [], rotation: undefined },
    where,
  );
  const featuresOf = (inputs: readonly Shape[]) => onlyInput(inputs, where)[0] ?? 1;

  /** The weights as they are multiplied: packed, with a scale for each group, and as reals [units, inputs]. */
  const weightsOf = ({ builder, parameter }: ForwardContext, kernel: Parameter, shape: Shape) => {
    // Of an optimizer that trains values, they are the weights.
    if (kernel.packed === undefined) return { reals: () => kernel.value.reshape(shape) };
    const [{ bits, scale } = { bits: kernel.packed, scale: undefined }] = rowTensors(kernel, (ending) =>
      parameter(`kernel${ending}`),
    );
    let made: Tensor | undefined;
    const reals = () => {
      made ??= affineSamples(builder, unpackSigns(builder, bits), { scale }).reshape(shape);
      return made;
    };
    if (scale === undefined || groupScale % 32 !== 0) return { reals };
    const [rows = 1, inputs = 1] = shape;
    const scales = scale.reshape([rows, inputs / groupScale]);
    return { reals, packed: { bits: bits.reshape(shape), scales } };
  };

  return {
    name: options.name,
    kind,
    config: notedConfig(options),
    outputShape(inputs, name) {
      const shape = onlyInput(inputs, name);
      assertRank(shape, 1, name, 'put flatten() before it');
      if ((shape[0] ?? 1) % groupScale !== 0) {
        throw new ShapeError('Groups divide the inputs of a layer.', {
          given: `groups of ${groupScale} of ${shape[0]} inputs`,
          where: name,
          remedy: `give a groupScale that divides ${shape[0]}`,
        });
      }
      return [units];
    },
    parameters(inputs) {
      const features = featuresOf(inputs);
      const rows = units * (features / groupScale);
      const kernel = withRows(kernelFor([rows, groupScale], features, units));
      return useBias ? [...kernel, zeroBias(units)] : kernel;
    },
    operations: (inputs) => ({ binary: 0, float: units * featuresOf(inputs) }),
    forward(context, inputs) {
      const { builder, parameter, wantsInputGradient } = context;
      const x = asReal(builder, onlyInput(inputs, where));
      const kernel = parameter('kernel');
      const weights = weightsOf(context, kernel, [units, x.shape[1] ?? 1]);
      const product =
        weights.packed === undefined
          ? matMul(builder, x, weights.reals(), { transposeB: true })
          : groupedSignMatMul(builder, x, weights.packed.bits, weights.packed.scales);
      return {
        output: real(useBias ? addBias(builder, product, parameter('bias').value) : product),
        backward(gradOutput) {
          const ops = gradientsOf(context, where);
          const gradKernel = ops.signMatMulGradWeights(builder, gradOutput, x);
          return {
            inputs: [wantsInputGradient[0] ? matMul(builder, gradOutput, weights.reals()) : undefined],
            parameters: {
              kernel: gradKernel.reshape(kernel.spec.shape),
              ...(useBias && { bias: ops.biasGrad(builder, gradOutput) }),
            },
          };
        },
      };
    },
  };
}
