/**
 * A training step's forward and backward pass in float64, for chains of layers, made of nothing but the reference
 * twins. What it shares with the library is the model's description.
 */
import type { Model } from '../../src/graph/index.ts';
import { type LossName, type QuantizerLike, resolveLoss, resolveQuantizer } from '../../src/methods/index.ts';
import { resolveConv2d } from '../../src/ops/conv.ts';
import { resolvePool2d } from '../../src/ops/pool.ts';
import { conv2d, conv2dGradInput, conv2dGradWeights } from '../../src/reference/conv.ts';
import { loss } from '../../src/reference/loss.ts';
import { matMul } from '../../src/reference/matmul.ts';
import { batchStatistics, normalize, normalizeGrad } from '../../src/reference/norm.ts';
import { maxPool2d, maxPool2dGrad } from '../../src/reference/pool.ts';

type Reals = Float64Array<ArrayBuffer>;

export interface TwinStep {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Reals>;
  /**
   * Least distance of any binarized value from a place where its sign or its gate jumps: where it is larger than the
   * rounding of f32, both worlds take the same decisions.
   */
  readonly margin: number;
}

/** @param values parameters by `layer/parameter` */
export function twinStep(
  model: Model,
  values: ReadonlyMap<string, ArrayLike<number>>,
  x: ArrayLike<number>,
  labels: ArrayLike<number>,
  kind: LossName,
): TwinStep {
  const batch = labels.length;
  const gradients = new Map<string, Reals>();
  const backwards: ((g: Reals) => Reals)[] = [];
  let margin = Number.POSITIVE_INFINITY;
  let value: Reals = Float64Array.from(x);

  const signs = (reals: ArrayLike<number>): Reals => Float64Array.from(reals, (w) => (w < 0 ? -1 : 1));
  /** Binarizes, and returns the gradient that passes back. */
  const binarized = (reals: Reals, given: QuantizerLike | undefined) => {
    if (given === undefined) return { input: reals, pass: (g: Reals) => g };
    const quantizer = resolveQuantizer(given, 'twin');
    for (const r of reals) margin = Math.min(margin, Math.abs(r), Math.abs(Math.abs(r) - 1));
    return {
      input: signs(reals),
      pass: (g: Reals) => g.map((gradient, i) => gradient * quantizer.gradient(reals[i] ?? 0)),
    };
  };

  for (const { name, layer, inputShapes, parameters } of model.layers) {
    const config = layer.config as Record<string, unknown>;
    const parameter = (which: string): ArrayLike<number> => {
      const found = values.get(`${name}/${which}`);
      if (found === undefined) throw new Error(`no ${name}/${which}`);
      return found;
    };
    const inputShape = inputShapes[0] ?? [];
    switch (layer.kind) {
      case 'flatten':
        backwards.push((g) => g);
        break;
      case 'maxPool2d': {
        const geometry = resolvePool2d([batch, ...inputShape], config as { poolSize: number }, name);
        const before = value;
        value = maxPool2d(before, geometry);
        backwards.push((g) => maxPool2dGrad(g, before, geometry));
        break;
      }
      case 'batchNormalization': {
        const channels = inputShape.at(-1) ?? 1;
        const gamma = config.scale === false ? undefined : parameter('gamma');
        const beta = config.center === false ? undefined : parameter('beta');
        const epsilon = (config.epsilon as number | undefined) ?? 1e-4;
        const before = value;
        const statistics = batchStatistics(before, before.length / channels, channels);
        value = normalize(before, statistics, epsilon, gamma, beta);
        backwards.push((g) => {
          const grads = normalizeGrad(g, before, statistics, epsilon, gamma);
          if (gamma) gradients.set(`${name}/gamma`, grads.gradGamma);
          if (beta) gradients.set(`${name}/beta`, grads.gradBeta);
          return grads.gradInput;
        });
        break;
      }
      case 'quantDense':
      case 'quantConv2d': {
        const { input, pass } = binarized(value, config.inputQuantizer as QuantizerLike | undefined);
        const kernel =
          config.kernelQuantizer === undefined
            ? Float64Array.from(parameter('kernel'))
            : signs(parameter('kernel'));
        const shape = parameters[0]?.shape ?? [];
        if (layer.kind === 'quantDense') {
          const [n = 1, k = 1] = shape;
          value = matMul(input, kernel, { m: batch, n, k }, { transposeB: true });
          backwards.push((g) => {
            gradients.set(`${name}/kernel`, matMul(g, input, { m: n, n: k, k: batch }, { transposeA: true }));
            return pass(matMul(g, kernel, { m: batch, n: k, k: n }));
          });
        } else {
          const geometry = resolveConv2d([batch, ...inputShape], shape, config, name);
          value = conv2d(input, kernel, geometry);
          backwards.push((g) => {
            gradients.set(`${name}/kernel`, conv2dGradWeights(g, input, geometry));
            return pass(conv2dGradInput(g, kernel, geometry));
          });
        }
        break;
      }
      default:
        throw new Error(`the twin doesn't know ${layer.kind}`);
    }
  }
  const result = loss(resolveLoss(kind).twin, value, { labels }, model.outputShape[0] ?? 1);
  let gradient: Reals = result.gradLogits;
  for (const backward of backwards.reverse()) gradient = backward(gradient);
  return { loss: result.loss, gradients, margin };
}
