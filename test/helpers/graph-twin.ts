/** Random networks, and what they give by the reference alone: float64, layer by layer, nothing folded. */
import fc from 'fast-check';
import type { Shape } from '../../src/gpu/index.ts';
import { apply, type GraphNode, input, type Model, model } from '../../src/graph/index.ts';
import * as layers from '../../src/layers/index.ts';
import { type Conv2dOptions, resolveConv2d } from '../../src/ops/conv.ts';
import { resolvePool2d } from '../../src/ops/pool.ts';
import { conv2d } from '../../src/reference/conv.ts';
import { normalize } from '../../src/reference/norm.ts';
import { prelu, softmax } from '../../src/reference/pointwise.ts';
import { averagePool2d, maxPool2d, wholeImage } from '../../src/reference/pool.ts';

type Reals = Float64Array<ArrayBuffer>;

export interface TwinResult {
  readonly output: Reals;
  /** The least distance of a binarized value from 0, relative to the values beside it: below rounding, either sign is right. */
  readonly margin: number;
}

/** @param values parameters by `layer/parameter`, latent */
export function graphTwin(
  { layers: entries, inputs, outputs }: Model,
  values: ReadonlyMap<string, Float32Array>,
  x: ArrayLike<number>,
  batch: number,
): TwinResult {
  let margin = Number.POSITIVE_INFINITY;
  const made: Reals[] = [];
  const start = Float64Array.from(x);
  const at = (from: number) => made[from] ?? start;

  const signs = (reals: Reals): Reals => {
    const rms = Math.sqrt(reals.reduce((sum, value) => sum + value * value, 0) / reals.length);
    for (const value of reals) if (value !== 0) margin = Math.min(margin, Math.abs(value) / (rms + 1e-30));
    return reals.map((value) => (value < 0 ? -1 : 1));
  };

  for (const { name, layer, inputs: from, inputShapes, parameters } of entries) {
    const { kind, traits } = layer;
    const config = layer.config as unknown as Conv2dOptions & {
      useBias?: boolean;
      epsilon?: number;
      maximum?: number;
      poolSize: number;
    };
    const value = (own: string) => Float64Array.from(values.get(`${name}/${own}`) ?? []);
    const [own = [], ...others] = from.map(at);
    const shape = [batch, ...(inputShapes[0] ?? [])] as Shape;
    const channels = shape.at(-1) ?? 1;
    const weights = () => {
      const latent = value('kernel');
      return traits?.product?.binaryWeights ? latent.map((weight) => (weight < 0 ? -1 : 1)) : latent;
    };
    const biased = (sums: Reals, filters: number): Reals => {
      const bias = config.useBias ? value('bias') : undefined;
      return bias === undefined ? sums : sums.map((sum, i) => sum + (bias[i % filters] ?? 0));
    };
    const given = Float64Array.from(own);
    const read = traits?.readsSigns === true ? signs(given) : given;
    const result = ((): Reals => {
      switch (kind) {
        case 'quantConv2d':
        case 'conv2d':
        case 'quantDepthwiseConv2d': {
          const filters = parameters[0]?.shape ?? [];
          const groups = kind === 'quantDepthwiseConv2d' ? channels : config.groups;
          return biased(
            conv2d(read, weights(), resolveConv2d(shape, filters, { ...config, groups })),
            filters[0] ?? 1,
          );
        }
        case 'quantDense':
        case 'dense': {
          const [units = 1] = parameters[0]?.shape ?? [];
          const windows = resolveConv2d([batch, 1, 1, channels], [units, 1, 1, channels]);
          return biased(conv2d(read, weights(), windows), units);
        }
        case 'batchNormalization': {
          const statistics = { mean: value('runningMean'), variance: value('runningVariance') };
          const { epsilon = 1e-4 } = config;
          return normalize(given, statistics, epsilon, value('gamma'), value('beta'));
        }
        case 'sign':
          return read;
        case 'maxPool2d':
          return maxPool2d(given, resolvePool2d(shape, config));
        case 'averagePool2d':
          return averagePool2d(given, resolvePool2d(shape, config));
        case 'globalAveragePool2d':
          return averagePool2d(given, wholeImage(batch, shape[1] ?? 1, shape[2] ?? 1, channels));
        case 'flatten':
          return given;
        case 'relu':
          return given.map((v) => Math.min(config.maximum ?? Number.POSITIVE_INFINITY, Math.max(0, v)));
        case 'prelu':
          return prelu(given, value('alpha'));
        case 'softmax':
          return softmax(given, channels);
        case 'add':
          return given.map((v, i) => v + (others[0]?.[i] ?? 0));
        default:
          throw new Error(`the twin has no ${kind}`);
      }
    })();
    made.push(result);
  }
  if (inputs.length !== 1) throw new Error('the twin takes one input');
  return { output: at(outputs[0]?.from ?? -1), margin };
}

/** What a random network is made of: numbers that choose. */
export const choices = fc.record({
  size: fc.tuple(
    fc.integer({ min: 3, max: 8 }),
    fc.integer({ min: 3, max: 8 }),
    fc.constantFrom(1, 3, 5, 32, 40),
  ),
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom(
        'block',
        'block',
        'block',
        'depthwise',
        'residual',
        'real',
        'pool',
        'average',
        'relu',
        'prelu',
      ),
      filters: fc.constantFrom(1, 4, 7, 31, 32, 33, 64, 96),
      kernel: fc.constantFrom(1, 2, 3),
      stride: fc.constantFrom(1, 1, 2),
      dilation: fc.constantFrom(1, 1, 1, 2),
      padValue: fc.constantFrom(0 as const, 0 as const, 1 as const, -1 as const),
      same: fc.boolean(),
      grouped: fc.boolean(),
      pooled: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  units: fc.constantFrom(1, 10, 33),
  ending: fc.constantFrom('plain' as const, 'norm' as const, 'softmax' as const),
  global: fc.boolean(),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

export type GraphChoice = typeof choices extends fc.Arbitrary<infer T> ? T : never;

/** The network of choices; layers that don't fit what comes before them are left out. */
export function graphOf({ size, steps, units, ending, global }: GraphChoice): Model {
  const start = input(size);
  let [node, shape]: [GraphNode, Shape] = [start, size];
  const add = (layer: layers.Layer, ...others: GraphNode[]): boolean => {
    try {
      shape = layer.outputShape([shape, ...others.map(() => shape)], 'random');
    } catch {
      return false;
    }
    node = apply(layer, node, ...others);
    return true;
  };
  const signs = { inputQuantizer: 'steSign', kernelQuantizer: 'steSign' } as const;
  for (const step of steps) {
    const { filters, kernel, stride, dilation, padValue, same, grouped, pooled } = step;
    const channels = shape[2] ?? 1;
    const groups = grouped && channels % 2 === 0 && filters % 2 === 0 ? 2 : 1;
    const windows = {
      kernelSize: kernel,
      padding: same ? 'same' : 'valid',
      padValue,
      dilations: dilation,
    } as const;
    switch (step.kind) {
      case 'block':
        if (!add(layers.quantConv2d({ ...windows, filters, strides: stride, groups, ...signs }))) break;
        if (pooled) add(layers.maxPool2d({ poolSize: 2, strides: stride }));
        add(layers.batchNormalization());
        if (grouped) add(layers.sign());
        break;
      case 'depthwise':
        if (
          add(
            layers.quantDepthwiseConv2d({
              ...windows,
              strides: stride,
              inputQuantizer: 'steSign',
              depthwiseQuantizer: 'steSign',
            }),
          )
        )
          add(layers.batchNormalization());
        break;
      case 'residual': {
        const past = node;
        if (!add(layers.quantConv2d({ ...windows, padding: 'same', filters: channels, ...signs }))) break;
        add(layers.batchNormalization());
        add(layers.add(), past);
        break;
      }
      case 'real':
        add(layers.conv2d({ ...windows, filters, strides: stride, groups, useBias: pooled }));
        break;
      case 'pool':
        add(layers.maxPool2d({ poolSize: 2, strides: stride, padding: windows.padding }));
        break;
      case 'average':
        add(layers.averagePool2d({ poolSize: 2, strides: stride, padding: windows.padding }));
        break;
      case 'relu':
        add(layers.relu(pooled ? { maximum: 6 } : {}));
        break;
      case 'prelu':
        add(layers.prelu());
        break;
    }
  }
  add(global ? layers.globalAveragePool2d() : layers.flatten());
  add(global ? layers.dense({ units, useBias: true }) : layers.quantDense({ units, ...signs }));
  if (ending === 'norm') add(layers.batchNormalization());
  if (ending === 'softmax') add(layers.softmax());
  return model({ input: start, output: node });
}

/** Whether all that flows out are whole numbers, which must be the same to the bit. */
export function endsInIntegers({ layers: entries }: Model): boolean {
  return entries.at(-1)?.layer.kind === 'quantDense';
}
