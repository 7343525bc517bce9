/** Layers of networks with a few bits a value: `quantize`, and `multiThreshold` of networks that are only run. */
import { OptionError } from '../errors.ts';
import {
  assertGrid,
  multiThreshold as multiThresholdOp,
  type QuantizeGrid,
  quantize as quantizeOp,
  type RoundingMode,
} from '../ops/pointwise.ts';
import { layerName, namesOf } from '../options.ts';
import { assertInference, noGradient, perChannel } from './inference.ts';
import { asReal, assertCount, type Layer, onlyInput, real } from './layer.ts';

/** Options of `quantize`. */
export interface QuantizeOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** 1 to 24. */
  readonly bits: number;
  /** Default true. */
  readonly signed?: boolean;
  /** Leaves away the lowest integer of signed ones, the highest of others. Default false. */
  readonly narrow?: boolean;
  /** Default `halfEven`. */
  readonly rounding?: RoundingMode;
  /** The integers less the zero point, or their multiples of the scale (the default). */
  readonly output?: 'values' | 'integers';
  /** What the parameter `scale` starts as. Default 1. */
  readonly scale?: number;
}

const QUANTIZE_OPTIONS = namesOf<QuantizeOptions>({
  name: true,
  bits: true,
  signed: true,
  narrow: true,
  rounding: true,
  output: true,
  scale: true,
});

/**
 * Uniform quantization (QONNX `Quant`): (round(clamp(x/scale + zeroPoint)) − zeroPoint)·scale with parameters `scale` and
 * `zeroPoint`, [channels] each; any shape. It passes no gradient: a network that trains has it before its first weights only.
 * @throws OptionError where there is no such grid, rounding or scale
 * @example
 * ```ts
 * import { quantize, sequential } from 'webgpu-bnn';
 *
 * sequential([quantize({ bits: 4 })], { input: [64] });
 * ```
 */
export function quantize(options: QuantizeOptions): Layer {
  const where = layerName(options, QUANTIZE_OPTIONS, 'quantize');
  const grid: QuantizeGrid = {
    bits: options.bits,
    signed: options.signed ?? true,
    narrow: options.narrow ?? false,
    rounding: options.rounding ?? 'halfEven',
    integers: options.output === 'integers',
  };
  assertGrid(grid, where);
  const { scale = 1 } = options;
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new OptionError('The scale of a grid is a positive number.', { given: String(scale), where });
  }
  return {
    name: options.name,
    kind: 'quantize',
    config: { ...options },
    traits: { grid: true },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters: (inputs) => perChannel(onlyInput(inputs, where).at(-1) ?? 1, { scale, zeroPoint: 0 }),
    forward({ builder, training, parameter, wantsInputGradient }, inputs) {
      if (wantsInputGradient[0]) assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      const parameters = { scale: parameter('scale').value, zeroPoint: parameter('zeroPoint').value };
      return {
        output: real(quantizeOp(builder, x, { ...grid, ...parameters })),
        backward: () => ({ inputs: [undefined] }),
      };
    },
  };
}

/** Options of `multiThreshold`. */
export interface MultiThresholdOptions {
  /** What the layer is called in a model, its files and errors. Default: its kind, with a number. */
  readonly name?: string;
  /** Thresholds a channel. */
  readonly levels: number;
}

const MULTI_THRESHOLD_OPTIONS = namesOf<MultiThresholdOptions>({ name: true, levels: true });

/**
 * How many of its channel's thresholds each value is at least: 0 to `levels` (QONNX and FINN `MultiThreshold` without its
 * scale and bias). Parameter `thresholds` [channels, levels], in any order; any shape.
 * @throws OptionError unless `levels` is a positive integer
 * @example
 * ```ts
 * import { multiThreshold, sequential } from 'webgpu-bnn';
 *
 * sequential([multiThreshold({ levels: 3 })], { input: [64] });
 * ```
 */
export function multiThreshold(options: MultiThresholdOptions): Layer {
  const where = layerName(options, MULTI_THRESHOLD_OPTIONS, 'multiThreshold');
  const { levels } = options;
  assertCount(levels, 'levels', where);
  return {
    name: options.name,
    kind: 'multiThreshold',
    config: { ...options },
    outputShape: (inputs, name) => onlyInput(inputs, name),
    parameters(inputs) {
      const channels = onlyInput(inputs, where).at(-1) ?? 1;
      const initializer = { kind: 'constant', value: 0 } as const;
      const shape = [channels, levels];
      return [{ name: 'thresholds', shape, role: 'statistic', initializer, fanIn: levels, fanOut: levels }];
    },
    forward({ builder, training, parameter }, inputs) {
      assertInference(training, where);
      const x = asReal(builder, onlyInput(inputs, where));
      return {
        output: real(multiThresholdOp(builder, x, parameter('thresholds').value)),
        backward: () => noGradient(where),
      };
    },
  };
}
