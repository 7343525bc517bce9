/** Which layers to leave real: by what their inputs lose as signs, against what real products would cost. */
import { OptionError } from '../errors.ts';
import { runOnce, sizeOf } from '../gpu/index.ts';
import { type Network, recordForward } from '../graph/index.ts';
import { assertAsked } from './asked.ts';

/** A layer whose inputs become signs, and what speaks for leaving it real. */
export interface HybridCandidate {
  /** Name of the layer. */
  readonly layer: string;
  /** Share of the squared length of its inputs that scaled signs lose: 1 - (mean |x|)² / mean x², over all samples. */
  readonly error: number;
  /** Its multiply-accumulates of a sample, which would be real ones. */
  readonly operations: number;
  /** error / share of all binary operations: the higher, the sooner it stays real. */
  readonly score: number;
}

/**
 * Ranks the layers with an `inputQuantizer` by error against cost, the first to stay real first (after Prabhu et al. 2018, hybrid
 * binary networks, of which the abstract was at hand: the error is measured over samples, the cost is counted).
 * @param samples f32 [count, ...inputShape], as many as go through the network at once
 * @throws OptionError for no whole samples, and for what is no network
 */
export async function rankForHybrid(network: Network, samples: Float32Array): Promise<HybridCandidate[]> {
  assertAsked(network, 'rankForHybrid', samples);
  const { gpu, model, parameters } = network;
  const count = samples.length / sizeOf(model.inputShape);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new OptionError('Errors are measured over whole samples.', {
      given: `${samples.length} values`,
      expected: `a multiple of ${sizeOf(model.inputShape)}`,
      where: 'rankForHybrid',
    });
  }
  using x = gpu.tensor('samples', [count, ...model.inputShape], 'f32', samples);
  using run = await runOnce(gpu, 'inputs of layers', (builder) => {
    const pass = recordForward(builder, model, parameters, x, { training: false });
    return model.layers.flatMap(({ name, layer, inputs }) => {
      if (layer.config.inputQuantizer === undefined) return [];
      const { kind, tensor } = pass.activations[inputs[0] ?? -1] ?? { kind: 'real', tensor: x };
      // Signs lose nothing.
      return [{ name, read: kind === 'real' ? builder.keep(tensor) : undefined }];
    });
  });
  const shapeOf = (at: number) => model.layers[at]?.outputShape ?? model.inputShape;
  const costs = new Map(
    model.layers.map(({ name, layer, inputs }) => [
      name,
      layer.operations?.(inputs.map((from) => shapeOf(from)))?.binary ?? 0,
    ]),
  );
  const total = run.result.reduce((sum, { name }) => sum + (costs.get(name) ?? 0), 0);
  const found: HybridCandidate[] = [];
  for (const { name, read } of run.result) {
    const values = read === undefined ? new Float32Array() : await gpu.readFloats(read);
    let [magnitude, square] = [0, 0];
    for (const value of values) {
      magnitude += Math.abs(value);
      square += value * value;
    }
    const error = square === 0 ? 0 : 1 - magnitude ** 2 / (square * values.length);
    const operations = costs.get(name) ?? 0;
    found.push({ layer: name, error, operations, score: (error * total) / operations });
  }
  return found.toSorted((a, b) => b.score - a.score);
}
