/** What to do to a trained network before judging a change of how its weights are used. */

import { OptionError, ShapeError } from '../errors.ts';
import { describe, ProgramBuilder, sizeOf } from '../gpu/index.ts';
import {
  apply,
  assertOneInputAndOutput,
  type GraphNode,
  input,
  type Model,
  model,
  type Network,
  recordForward,
} from '../graph/index.ts';
import type { Layer } from '../layers/index.ts';
import { renamed } from '../layers/layer.ts';
import { encodeTrainState, STATE_WORDS } from '../ops/data.ts';
import { unpackSigns } from '../ops/dense.ts';
import { mergeMoments, momentsFrom, NO_PAIRS, pairMoments } from '../ops/proportionality.ts';

/**
 * The model with the latent weights of one layer used as they are, in place of their signs. It takes the parameters of
 * the model it came from; its normalisations don't fit until `refitNormalization`.
 * @throws OptionError unless the layer is a product with binary weights
 */
export function withContinuousWeights(source: Model, name: string): Model {
  assertOneInputAndOutput(source, 'withContinuousWeights');
  const start = input(source.inputShape);
  const nodes: GraphNode[] = [];
  let found = false;
  for (const entry of source.layers) {
    const chosen = entry.name === name;
    found ||= chosen;
    const layer = chosen ? continuous(entry.layer, name) : entry.layer;
    nodes.push(apply(renamed(layer, entry.name), ...entry.inputs.map((from) => nodes[from] ?? start)));
  }
  if (!found) {
    throw new OptionError('The model has no layer of this name.', { given: name, where: source.name });
  }
  return model({ input: start, output: nodes.at(-1) ?? start, name: source.name });
}

function continuous({ traits, kind }: Layer, name: string): Layer {
  const { binaryWeights = false, withWeights } = traits?.product ?? {};
  const made = binaryWeights ? withWeights?.(name, undefined) : undefined;
  if (made !== undefined) return made;
  throw new OptionError('Only a layer with binary weights has latent ones to use.', {
    given: `${name}: ${kind}`,
    expected:
      'a product with a quantizer of its weights, as quantDense, quantConv2d and quantDepthwiseConv2d have',
    where: 'withContinuousWeights',
  });
}

/**
 * Recomputes the running statistics of every batch normalisation from samples, with the weights as they are now: means
 * and biased variances over all samples, each batch normalised by its own statistics on the way. Samples that don't
 * fill a batch at the end are left out.
 * @param samples f32 [count, ...inputShape], normalised as in training
 * @param options.batch 100 when absent, at most the samples there are
 * @throws ShapeError unless whole samples are given, two at least; OptionError for a batch of less than two
 */
export async function refitNormalization(
  network: Network,
  samples: Float32Array,
  options: { readonly batch?: number; readonly seed?: number } = {},
): Promise<void> {
  const { gpu, model: description, parameters, arena } = network;
  const size = sizeOf(description.inputShape);
  const count = samples.length / size;
  const batch = Math.min(count, options.batch ?? 100);
  if (!Number.isInteger(count) || count < 2) {
    throw new ShapeError('Statistics are refitted from whole samples.', {
      given: `${samples.length} values`,
      expected: `a multiple of ${size}, two samples of ${describe(description.inputShape)} or more`,
      where: description.name,
    });
  }
  if (!Number.isInteger(batch) || batch < 2) {
    throw new OptionError('Statistics of a batch need two samples at least.', {
      given: `batch = ${batch}`,
      where: 'refitNormalization',
    });
  }
  const norms = [...description.layers.keys()].filter(
    (index) => description.layers[index]?.layer.traits?.channels?.do === 'normalize',
  );
  if (norms.length === 0) return;

  using x = gpu.tensor('samples', [batch, ...description.inputShape], 'f32');
  // Dropout, if there is some, draws from the state.
  using state = gpu.tensor(
    'train state',
    [STATE_WORDS],
    'u32',
    encodeTrainState({ seed: options.seed ?? 0 }),
  );
  const builder = new ProgramBuilder(gpu, `refit ${description.name}`);
  const pass = recordForward(builder, description, parameters, x, { training: true, state });
  const seen = norms.map((index) => {
    const entry = description.layers[index];
    const { kind, tensor } = pass.activations[entry?.inputs[0] ?? -1] ?? { kind: 'real', tensor: x };
    const reals = kind === 'real' ? tensor : unpackSigns(builder, tensor);
    const rows = reals.size / (reals.shape.at(-1) ?? 1);
    return { name: entry?.name ?? '', rows, moments: builder.keep(pairMoments(builder, reals, reals)) };
  });
  using program = await builder.compile({ arena });
  const merged = seen.map(() => [] as ReturnType<typeof momentsFrom>);
  for (let first = 0; first + batch <= count; first += batch) {
    gpu.write(x, samples.subarray(first * size, (first + batch) * size));
    program.run();
    const values = await Promise.all(seen.map(({ moments }) => gpu.readFloats(moments)));
    for (const [at, { rows }] of seen.entries()) {
      merged[at] = momentsFrom(values[at] ?? [], rows).map((one, channel) =>
        mergeMoments(merged[at]?.[channel] ?? NO_PAIRS, one),
      );
    }
  }
  for (const [at, { name }] of seen.entries()) {
    const write = (parameter: string, of: (channel: (typeof merged)[number][number]) => number) => {
      const tensor = parameters.get(`${name}/${parameter}`)?.value;
      if (tensor !== undefined) gpu.write(tensor, Float32Array.from(merged[at] ?? [], of));
    };
    write('runningMean', ({ meanX }) => meanX);
    write('runningVariance', ({ squaresX, count: n }) => squaresX / n);
  }
}
