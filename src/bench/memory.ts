/** What a training step keeps between its forward and its backward pass, from the memory plan: nothing is allocated. */
import { type Gpu, ProgramBuilder, sizeOf } from '../gpu/index.ts';
import { recordForward } from '../graph/index.ts';
import { adam, squaredHinge } from '../methods/index.ts';
import { gatherBatch } from '../ops/data.ts';
import { loss } from '../ops/loss.ts';
import { declareParts } from '../train/step.ts';
import { type ModelName, modelByName } from '../zoo/index.ts';
import { noise } from './noise.ts';

export interface KeptActivations {
  readonly model: ModelName;
  readonly batch: number;
  /** Bytes of tensors that the forward pass writes and the backward pass reads. */
  readonly bytes: number;
  /**
   * Bytes that a framework of float tensors keeps: the output of every layer, and the signs of every quantized input, as
   * f32.
   */
  readonly asFloats: number;
  readonly share: number;
  /** The largest tensors that are kept. */
  readonly largest: readonly { readonly name: string; readonly bytes: number }[];
}

export function keptActivations(gpu: Gpu, name: ModelName, batch: number): KeptActivations {
  const data = noise(name, batch, 1);
  const model = modelByName(name, { input: data.image, classes: data.classes.length });
  const parts = declareParts(gpu, model, data, {
    batch,
    optimizer: adam(),
    penalty: undefined,
    overrides: [],
    teacher: undefined,
    loss: squaredHinge(),
    fanScaledSteps: false,
    augment: undefined,
    clip: undefined,
    classWeights: undefined,
    votes: undefined,
  });
  const builder = new ProgramBuilder(gpu, 'what is kept');
  const { train, state, network, metrics } = parts;
  const { x, targets } = gatherBatch(builder, parts.gather(train, state, true));
  const pass = recordForward(builder, model, network.parameters, x, { training: true, state });
  const logits = pass.output.tensor;
  const gradient = loss(builder, {
    loss: squaredHinge(),
    logits,
    targets,
    state,
    metrics: metrics.ring,
  });
  pass.backward(gradient, () => {});
  const { tensors, lifetimes, turn } = builder.plan();
  const kept = tensors.flatMap(({ label, byteLength }, i) => {
    const { first = 0, last = 0 } = lifetimes[i] ?? {};
    return first < turn && last >= turn ? [{ name: label, bytes: byteLength }] : [];
  });
  const bytes = kept.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const floats = model.layers.reduce((sum, { layer, outputShape, inputShapes }) => {
    const signs = layer.config.inputQuantizer === undefined ? 0 : sizeOf(inputShapes[0] ?? []);
    // Flattening copies nothing.
    return sum + signs + (layer.kind === 'flatten' ? 0 : sizeOf(outputShape));
  }, sizeOf(model.inputShape));
  const asFloats = 4 * batch * floats;
  return {
    model: name,
    batch,
    bytes,
    asFloats,
    share: bytes / asFloats,
    largest: [...kept].sort((a, b) => b.bytes - a.bytes).slice(0, 12),
  };
}
