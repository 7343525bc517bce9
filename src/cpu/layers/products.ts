/** Products of weights: convolutions and fully connected layers, of signs, integers of 8 bits and reals. */
import type { Shape } from '../../gpu/index.ts';
import { weightsOfGroups } from '../../numerics/groups.ts';
import { rotatedSigns } from '../../numerics/rotation.ts';
import type { Conv2dOptions } from '../../ops/conv.ts';
import { type Finish, multiplied, type Weights } from '../multiply.ts';
import type { Value } from '../program.ts';
import type { Lower, Lowering } from './lowering.ts';

/** A layer's options, as far as products have them. */
export interface ProductConfig extends Conv2dOptions {
  readonly inputQuantizer?: unknown;
  readonly kernelQuantizer?: unknown;
  readonly depthwiseQuantizer?: unknown;
  readonly pointwiseQuantizer?: unknown;
  readonly inputIntegers?: 'uint8' | 'int8';
  readonly useBias?: boolean;
  readonly kernelRotation?: { readonly seed?: number; readonly rounds?: number };
  readonly groupScale?: number;
  readonly kernelSize?: number | readonly [number, number];
}

/** `dense`, `quantDense`, `conv2d`, `quantConv2d`: a product and a bias. */
export const trained: Lower = (layer, inputs) => whole(layer, inputs[0] as Value, layer.config);

/** A grouped convolution with as many groups as channels. */
export const depthwise: Lower = (layer, inputs) => {
  const [input] = inputs as [Value];
  return whole(layer, input, { ...layer.config, groups: input.shape[2] ?? 1 });
};

function whole(layer: Lowering, input: Value, config: ProductConfig): Value {
  return product(layer, input, {
    kernel: 'kernel',
    shape: layer.specOf('kernel').shape,
    windows: config,
    readsSigns: config.inputQuantizer !== undefined,
    integers: config.inputIntegers,
    outputShape: layer.outputShape,
    bias: config.useBias === true,
  });
}

/** `binaryConv2d` and `binaryDense`: a product of signs or integers with all that follows it. */
export const fused: Lower = (layer, inputs) => {
  const config = layer.config as unknown as ProductConfig & {
    readonly output: 'real' | 'signs';
    readonly activation?: Finish['activation'];
  };
  const { recorder } = layer;
  const [input, added] = inputs as [Value, Value?];
  const { inputIntegers: integers, activation } = config;
  const kept = (name: string) => (layer.has(name) ? { data: layer.reals(name) } : undefined);
  const isSigns = config.output === 'signs';
  return multiplied(recorder, integers === undefined ? recorder.signs(input) : recorder.reals(input), {
    weights: { signs: layer.signs('kernel'), shape: filterShape(layer.specOf('kernel').shape) },
    windows: config,
    integers,
    outputShape: layer.outputShape,
    finish: {
      activation,
      ...(isSigns && {
        limits: { direction: layer.reals('direction'), threshold: layer.reals('threshold') },
      }),
      ...(!isSigns && {
        multiplier: kept('multiplier'),
        bias: kept('bias'),
        slope: kept('slope'),
        residual: added && recorder.reals(added),
      }),
    },
  });
};

interface Plain {
  /** Of its parameter. */
  readonly kernel: string;
  readonly shape: Shape;
  readonly windows: Conv2dOptions;
  readonly readsSigns: boolean;
  readonly integers?: 'uint8' | 'int8' | undefined;
  readonly outputShape: Shape;
  readonly bias: boolean;
}

export function product(layer: Lowering, given: Value, options: Plain): Value {
  const { recorder } = layer;
  const { kernel, windows, outputShape } = options;
  const { role, quantizer } = layer.specOf(kernel);
  const input = options.readsSigns ? recorder.signs(given) : given;
  const bias = options.bias ? { data: layer.reals('bias') } : undefined;
  const { groupScale, kernelSize } = layer.config as ProductConfig;
  if (role !== 'binary' || groupScale !== undefined) {
    const kept = layer.reals(kernel);
    const used =
      groupScale === undefined
        ? { values: rotated(layer, kept), shape: options.shape }
        : weightsOfGroups(kept, layer.reals(`${kernel}Scale`), outputShape.at(-1) ?? 1, kernelSize);
    const weights = { reals: used.values, shape: filterShape(used.shape) };
    return multiplied(recorder, recorder.reals(input), { weights, windows, outputShape, finish: { bias } });
  }
  const shape = filterShape(options.shape);
  const integers = input.kind === 'sign' ? undefined : options.integers;
  const by = (weights: Weights, shapeOut: Shape, finish: Finish) =>
    multiplied(recorder, input, { weights, windows, integers, outputShape: shapeOut, finish });
  const weights = { signs: layer.signs(kernel), shape };
  const scale = quantizer?.row?.hasScale ? layer.reals(`${kernel}Scale`) : undefined;
  if (!quantizer?.row?.hasOffset) {
    return by(weights, outputShape, { multiplier: scale && { data: scale }, bias });
  }
  // Weights are scale·sign + offset: with the sums of what each group's filters meet.
  const offset = layer.reals(`${kernel}Offset`);
  const groups = windows.groups ?? 1;
  const [filters, ...window] = shape;
  const ones = {
    signs: new Uint32Array((weights.signs.length / filters) * groups),
    shape: [groups, ...window] as const,
  };
  const sums = by(ones, [...outputShape.slice(0, -1), groups], {});
  const signed = by(weights, outputShape, {});
  const biases = bias?.data;
  return recorder.host([signed, sums], outputShape, ([x, whole], y) => {
    if (x === undefined || whole === undefined) return;
    for (let i = 0; i < y.length; i++) {
      const filter = i % filters;
      const group = Math.floor((filter * groups) / filters);
      const sum = whole[Math.floor(i / filters) * groups + group] ?? 0;
      const scaled = Math.fround((x[i] ?? 0) * (scale?.[filter] ?? 1));
      y[i] = Math.fround(scaled + Math.fround(sum * (offset[filter] ?? 0))) + (biases?.[filter] ?? 0);
    }
  });
}

/** [filters, height, width, channels], of fully connected layers too. */
function filterShape(shape: Shape): readonly [number, number, number, number] {
  const [filters = 1, height = 1, width = 1, channels = 1] =
    shape.length === 2 ? [shape[0] ?? 1, 1, 1, shape[1] ?? 1] : shape;
  return [filters, height, width, channels];
}

/** What a layer's weights are rotated to, where they are. */
function rotated({ config, entry }: Lowering, weights: Float32Array): Float32Array {
  const { kernelRotation } = config as ProductConfig;
  if (kernelRotation === undefined) return weights;
  const { seed = 0, rounds = 3 } = kernelRotation;
  const length = weights.length / (entry.parameters[0]?.shape[0] ?? 1);
  const result = new Float32Array(weights.length);
  for (let first = 0; first < weights.length; first += length) {
    result.set(rotatedSigns(weights.subarray(first, first + length), { seed, rounds }), first);
  }
  return result;
}
