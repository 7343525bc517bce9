/** `quantGatedConv2d`: a convolution of two bits a value, of which gates leave the second one away. */
import { OptionError } from '../errors.ts';
import type { Tensor } from '../gpu/index.ts';
import { notedConfig } from '../methods/note.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { constant } from '../ops/elementwise.ts';
import { type Combination, combine, multiThreshold } from '../ops/pointwise.ts';
import { layerName, namesOf } from '../options.ts';
import type { QuantConv2dOptions } from './conv2d.ts';
import { affine, threshold } from './inference.ts';
import {
  type Activation,
  asReal,
  type ForwardContext,
  gradientsOf,
  type Layer,
  onlyInput,
  real,
} from './layer.ts';
import { add as addLayer, multiply, subtract } from './merging.ts';
import { quantConv2d, sign } from './named.ts';

/** Options of `quantGatedConv2d`: those of `quantConv2d` that are of weights and windows, and where gates begin. */
export interface QuantGatedConv2dOptions
  extends Pick<
    QuantConv2dOptions,
    | 'name'
    | 'filters'
    | 'kernelSize'
    | 'kernelQuantizer'
    | 'kernelConstraint'
    | 'kernelInitializer'
    | 'strides'
    | 'dilations'
    | 'groups'
    | 'padding'
  > {
  /** What the threshold of every filter begins at. Default −1, as theirs. */
  readonly threshold?: number;
}

const OPTIONS = namesOf<QuantGatedConv2dOptions>({
  name: true,
  filters: true,
  kernelSize: true,
  kernelQuantizer: true,
  kernelConstraint: true,
  kernelInitializer: true,
  strides: true,
  dilations: true,
  groups: true,
  padding: true,
  threshold: true,
});

/** What the two signs of a value are worth. */
const HIGH = 2 / 3;
const LOW = 1 / 3;
/** How steep the sigmoid is whose gradient a gate has. */
const STEEPNESS = 5;

/**
 * A convolution of inputs of two bits, the second of which counts only where a gate is open (FracBNN's precision gate: Zhang et al.
 * 2020, arXiv 2012.12206, and the code of its authors). With s₁ = sign(x) and s₂ = sign(x − ⅔ s₁), the planes of `fracBits`, and
 * msb = ⅔·conv(s₁, w), it gives msb + gate·⅓·conv(s₂, w), where a gate is 1 if msb ≥ `threshold`, a number of the filter that is learned,
 * else 0 (theirs: if msb > threshold). Behind a gate's step is σ(5(msb − threshold)), whose gradient passes where the gate is open, as in
 * their code. Input and output [height, width, channels]; `openGates` says how many gates are open. Both products are done for all
 * outputs here, and counted as two: what is left out is saved by a chip that asks the gates.
 * @throws OptionError for options that aren't right
 * @example
 * ```ts
 * import { batchNormalization, quantGatedConv2d, sequential } from 'webgpu-bnn';
 *
 * const conv = quantGatedConv2d({ filters: 16, kernelSize: 3, kernelQuantizer: 'steSign' });
 * sequential([conv, batchNormalization()], { input: [8, 8, 16] });
 * ```
 */
export function quantGatedConv2d(options: QuantGatedConv2dOptions): Layer {
  const kind = 'quantGatedConv2d';
  const where = layerName(options, OPTIONS, kind);
  const { threshold: start = -1, name, ...rest } = options;
  if (!Number.isFinite(Math.fround(start))) {
    throw new OptionError('A threshold begins at a number.', { given: `threshold = ${start}`, where });
  }
  /** Its gradient passes where |x| <= 1, as in their code, whose 1.3 is for weights. */
  const signs = sign();
  const product = quantConv2d({ ...rest, name: where, inputQuantizer: 'steSign' });
  const { filters } = options;
  /** The product that is always done. */
  const begin = (context: ForwardContext, inputs: readonly Activation[]) => {
    const { builder } = context;
    const first = signs.forward(context, inputs);
    const high = product.forward(context, [first.output]);
    const msb = combine(builder, 'multiply', constant(builder, HIGH), inRows(high.output.tensor));
    return { first, high, msb };
  };
  /** How far it is above the thresholds. */
  const past = ({ builder, parameter }: ForwardContext, msb: Tensor) =>
    combine(builder, 'subtract', msb, parameter('threshold').value.reshape([1, filters]));
  return {
    name,
    kind,
    config: notedConfig(options),
    traits: {
      readsSigns: false,
      gates: (context, inputs) => {
        const { high, msb } = begin(context, inputs);
        return packSigns(context.builder, past(context, msb)).reshape(high.output.tensor.shape);
      },
      parts: () => {
        const times = (scale: number) => ({ layer: affine(), parameters: { scale, shift: 0 } });
        return [
          { name: 'high', layer: product },
          { name: 'msb', ...times(HIGH) },
          { name: 'gate', layer: threshold(), parameters: { direction: 1 } },
          // ⅓ where it is open, 0 where it is closed.
          { name: 'worth', layer: affine(), parameters: { scale: LOW / 2, shift: LOW / 2 } },
          { name: 'sign', layer: signs, from: [-1] },
          { name: 'taken', ...times(HIGH) },
          { name: 'rest', layer: subtract(), from: [-1, 5] },
          { name: 'low', layer: product },
          { name: 'lsb', layer: multiply(), from: [7, 3] },
          { layer: addLayer(), from: [1, 8] },
        ];
      },
    },
    outputShape: (inputs, name) => product.outputShape(inputs, name),
    parameters: (inputs) => [
      ...product.parameters(inputs),
      {
        ...{ name: 'threshold', shape: [filters], role: 'real', fanIn: 1, fanOut: filters },
        initializer: { kind: 'constant', value: start },
      },
    ],
    operations(inputs) {
      const { binary = 0, float = 0 } = product.operations?.(inputs) ?? {};
      return { binary: 2 * binary, float: 2 * float };
    },
    forward(context, inputs) {
      const { builder } = context;
      const does = (what: Combination, a: Tensor, b: Tensor) => combine(builder, what, a, b);
      const times = (factor: number, of: Tensor) => does('multiply', constant(builder, factor), of);
      const x = inRows(asReal(builder, onlyInput(inputs, where)));
      const { first, high, msb } = begin(context, inputs);
      const taken = times(HIGH, inRows(unpackSigns(builder, first.output.tensor)));
      const rest = packSigns(builder, does('subtract', x, taken)).reshape(first.output.tensor.shape);
      const low = product.forward(context, [{ kind: 'sign', tensor: rest }]);
      const { shape } = high.output.tensor;
      const second = inRows(low.output.tensor);
      const thresholds = context.parameter('threshold').value.reshape([filters, 1]);
      const worth = times(LOW, multiThreshold(builder, msb, thresholds));
      return {
        output: real(does('add', msb, does('multiply', second, worth)).reshape(shape)),
        backward(gradOutput) {
          const { add, biasGrad, curveGrad } = gradientsOf(context, where);
          const gradient = inRows(gradOutput);
          const ofLow = does('multiply', gradient, worth);
          // The gradient of a gate is that of the output times what it lets through; of one that is closed it is 0.
          const through = does('multiply', ofLow, second);
          const steep = times(STEEPNESS, past(context, msb));
          const ofGate = times(STEEPNESS, curveGrad(builder, 'sigmoid', through, steep));
          const ofHigh = times(HIGH, does('add', gradient, ofGate));
          const one = high.backward(ofHigh.reshape(shape));
          const other = low.backward(ofLow.reshape(shape));
          const sum = (a: Tensor | undefined, b: Tensor | undefined) => a && b && add(builder, a, b);
          const [passed] = one.inputs.map((own, i) => sum(own, other.inputs[i]));
          const shared = Object.entries(one.parameters ?? {}).map(([name, own]) => [
            name,
            sum(own, other.parameters?.[name]),
          ]);
          return {
            inputs: passed ? first.backward(passed).inputs : [undefined],
            parameters: {
              ...Object.fromEntries(shared),
              threshold: biasGrad(builder, times(-1, ofGate)),
            },
          };
        },
      };
    },
  };
}

/** All pixels of all samples, one a row. */
function inRows(x: Tensor): Tensor {
  const channels = x.shape.at(-1) ?? 1;
  return x.reshape([x.size / channels, channels]);
}
