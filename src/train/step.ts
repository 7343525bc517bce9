/**
 * What a training owns on the GPU, and its two recorded programs: the training step and the test step. Everything is
 * declared first, so that the memory plan is whole before anything is allocated.
 */
import { OptionError } from '../errors.ts';
import { Gpu, type HostData, ProgramBuilder, sharedSlots, Tensor } from '../gpu/index.ts';
import { type Model, Network, recordForward } from '../graph/index.ts';
import type { Parameter } from '../layers/index.ts';
import { asReal } from '../layers/layer.ts';
import type { Loss, Optimizer, Penalty } from '../methods/index.ts';
import { advanceState, gatherBatch, STATE_WORDS } from '../ops/data.ts';
import { loss as recordLoss } from '../ops/loss.ts';
import type { CheckedData, TrainingSplit } from './data.ts';
import { MetricsReader } from './metrics.ts';
import { declareSlots, recordUpdate, type Slots, Tables, tensorsOf } from './updates.ts';

/** Bytes of GPU memory that training needs, by what they are for. */
export interface TrainingPlan {
  readonly parameters: number;
  readonly optimizer: number;
  readonly data: number;
  readonly activations: number;
  readonly counters: number;
  readonly peakBytes: number;
}

/** The options that decide what a step computes. */
export interface StepOptions {
  readonly batch: number;
  readonly optimizer: Optimizer;
  /** Optimizers of some parameters; undefined: none. */
  readonly overrides: readonly {
    readonly match: RegExp | string;
    readonly optimizer: Optimizer | undefined;
  }[];
  readonly teacher: Network | undefined;
  readonly penalty: Penalty | undefined;
  readonly loss: Loss;
  readonly fanScaledSteps: boolean;
  readonly augment: { readonly pad: number; readonly flip: boolean } | undefined;
}

/** Everything on the GPU that a training owns. */
export interface Parts {
  readonly network: Network;
  readonly slots: readonly Slots[];
  readonly trainImages: Tensor;
  readonly trainLabels: Tensor;
  /** Images and labels of the test split, where there is one. */
  readonly test: { readonly images: Tensor; readonly labels: Tensor } | undefined;
  /** f32 [channels]: what normalises more than four channels that differ. */
  readonly affine: { readonly scale: Tensor; readonly shift: Tensor } | undefined;
  readonly state: Tensor;
  readonly testState: Tensor;
  /** Numbers of every step of an epoch, for each optimizer. */
  readonly tables: Tables;
  readonly metrics: MetricsReader;
  gather(images: Tensor, labels: Tensor, state: Tensor, training: boolean): Parameters<typeof gatherBatch>[1];
}

/** What updates a parameter; undefined for one that stays as it is. */
export function optimizerFor(
  { optimizer, overrides }: Pick<StepOptions, 'optimizer' | 'overrides'>,
  name: string,
): Optimizer | undefined {
  const override = overrides.find(({ match }) => matches(match, name));
  return override === undefined ? optimizer : override.optimizer;
}

/** Whether a parameter's name is one that is meant: it itself, or one that the pattern finds. */
export function matches(match: RegExp | string, name: string): boolean {
  if (typeof match === 'string') return match === name;
  // Patterns with these flags remember where they were.
  return new RegExp(match.source, match.flags.replace(/[gy]/g, '')).test(name);
}

/** Steps of one epoch. */
export function batchesOf(data: CheckedData, batch: number): number {
  return Math.floor(data.train.count / batch);
}

/** Declares everything; nothing is allocated. */
export function declareParts(gpu: Gpu, model: Model, data: CheckedData, options: StepOptions): Parts {
  const network = new Network(gpu, model);
  const split = (name: string, { count }: TrainingSplit) => ({
    images: new Tensor(`${name} images`, [count, ...data.image], 'u8'),
    labels: new Tensor(`${name} labels`, [count], 'u8'),
  });
  const train = split('train', data.train);
  const test = data.test !== undefined && data.test.count > 0 ? split('test', data.test) : undefined;
  const { scale, shift } = data.normalise;
  const channels = data.image[2] ?? 1;
  const affine =
    channels > 4 && Math.max(scale.length, shift.length) > 1
      ? { scale: new Tensor('scale', [channels], 'f32'), shift: new Tensor('shift', [channels], 'f32') }
      : undefined;
  const slots = [...network.parameters.values()]
    .filter(({ spec }) => spec.role !== 'statistic')
    .flatMap((parameter) => {
      const optimizer = optimizerFor(options, parameter.name);
      return optimizer === undefined ? [] : [declareSlots(optimizer, parameter, network.parameters)];
    });
  return {
    network,
    slots,
    trainImages: train.images,
    trainLabels: train.labels,
    test,
    affine,
    state: new Tensor('train state', [STATE_WORDS], 'u32'),
    testState: new Tensor('test state', [STATE_WORDS], 'u32'),
    tables: new Tables(slots, batchesOf(data, options.batch)),
    metrics: new MetricsReader(gpu),
    gather: (images, labels, state, training) => ({
      images,
      labels,
      state,
      batch: options.batch,
      shuffle: training,
      scale,
      shift,
      ...(affine === undefined ? {} : { affine }),
      ...(training && options.augment ? { augment: options.augment } : {}),
    }),
  };
}

function ownTensors(parts: Parts): Tensor[] {
  const { state, testState, tables } = parts;
  return [...tensorsOf(parts.slots), ...dataTensors(parts), state, testState, ...tables.tensors];
}

function dataTensors({ trainImages, trainLabels, test, affine }: Parts): Tensor[] {
  return [trainImages, trainLabels, ...Object.values(test ?? {}), ...Object.values(affine ?? {})];
}

/** Gives everything but the network its memory, and the data set its bytes. */
export function allocateParts(parts: Parts, data: CheckedData): void {
  const { gpu } = parts.network;
  const { test, affine } = parts;
  const contents = new Map<Tensor, HostData>([
    [parts.trainImages, data.train.images],
    [parts.trainLabels, data.train.labels],
  ]);
  if (test !== undefined && data.test !== undefined) {
    contents.set(test.images, data.test.images).set(test.labels, data.test.labels);
  }
  if (affine !== undefined) {
    for (const name of ['scale', 'shift'] as const) {
      const values = data.normalise[name];
      contents.set(affine[name], affineValues(values, affine[name].size));
    }
  }
  for (const tensor of ownTensors(parts)) gpu.allocate(tensor, contents.get(tensor));
  parts.metrics.allocate();
}

/** One number for each channel. */
function affineValues(values: readonly number[], channels: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: channels }, (_, channel) => values[channel % values.length] ?? 0);
}

/** Frees what has memory. */
export function disposeParts(parts: Parts): void {
  if (!parts.network.disposed) parts.network.dispose();
  for (const tensor of ownTensors(parts)) if (tensor.isPlaced) tensor.dispose();
  parts.metrics.dispose();
}

/**
 * Gather, forward, loss, backward with updates, advance: one step of training.
 * @param frozen names of parameters that aren't updated
 */
export function recordTrainStep(
  parts: Parts,
  options: StepOptions,
  data: CheckedData,
  frozen: readonly string[] = [],
): ProgramBuilder {
  const { network, state, tables, metrics, slots } = parts;
  const { model, parameters, gpu } = network;
  const slotsOf = new Map(slots.map((entry) => [entry.parameter.name, entry]));
  const builder = new ProgramBuilder(gpu, `training step of ${model.name} on ${data.name}`);
  const { x, labels } = gatherBatch(builder, parts.gather(parts.trainImages, parts.trainLabels, state, true));
  const pass = recordForward(builder, model, trainedBy(parameters, slots), x, { training: true, state });
  const gradOutput = recordLoss(builder, {
    loss: options.loss,
    logits: pass.output.tensor,
    targets: labels,
    teacher: taught(builder, options, x),
    state,
    metrics: metrics.ring,
  });
  pass.backward(gradOutput, (parameter, gradient) => {
    const entry = slotsOf.get(parameter.name);
    if (entry === undefined || frozen.includes(parameter.name)) return;
    const { fanScaledSteps: fanScaled, penalty } = options;
    recordUpdate(builder, entry, gradient, { state, tables, fanScaled, penalty });
  });
  advanceState(builder, state);
  return builder;
}

/** Parameters as the layers of a training pass see them: those whose optimizer trains values have no signs there. */
function trainedBy(
  parameters: ReadonlyMap<string, Parameter>,
  slots: readonly Slots[],
): ReadonlyMap<string, Parameter> {
  const byValue = new Set(
    slots
      .filter(({ optimizer }) => optimizer.definition.forward === 'value')
      .map(({ parameter }) => parameter.name),
  );
  if (byValue.size === 0) return parameters;
  return new Map(
    [...parameters].map(([name, parameter]) => [
      name,
      byValue.has(name) ? { ...parameter, packed: undefined } : parameter,
    ]),
  );
}

/** The outputs of the teacher for a batch, where the loss compares with one. */
function taught(builder: ProgramBuilder, { loss, teacher }: StepOptions, x: Tensor): Tensor | undefined {
  if (!loss.teacher) return undefined;
  if (teacher === undefined) {
    throw new OptionError('This loss compares with a teacher, and there is none.', {
      given: loss.name,
      where: 'Trainer.create',
      remedy: 'give `teacher`, a network on the same GPU',
    });
  }
  return builder.within('teacher', () => {
    const { model, parameters } = teacher;
    return asReal(builder, recordForward(builder, model, parameters, x, { training: false }).output);
  });
}

/**
 * Gather in order, forward in inference mode, loss, advance: one batch of the test split.
 * @returns nothing where there is no test split
 */
export function recordTestStep(
  parts: Parts,
  options: StepOptions,
  data: CheckedData,
): ProgramBuilder | undefined {
  const { network, test, testState, metrics } = parts;
  if (test === undefined) return undefined;
  const { model, parameters, gpu } = network;
  const builder = new ProgramBuilder(gpu, `test step of ${model.name} on ${data.name}`);
  const { x, labels } = gatherBatch(builder, parts.gather(test.images, test.labels, testState, false));
  const pass = recordForward(builder, model, parameters, x, { training: false });
  const logits = pass.output.tensor;
  recordLoss(builder, {
    loss: options.loss,
    logits,
    targets: labels,
    teacher: taught(builder, options, x),
    state: testState,
    metrics: metrics.ring,
    evaluate: true,
  });
  advanceState(builder, testState);
  return builder;
}

/** What the training will need, before anything is allocated. */
export function planTraining(parts: Parts, builders: readonly ProgramBuilder[]): TrainingPlan {
  const bytes = (tensors: readonly Tensor[]) =>
    tensors.reduce((sum, { byteLength }) => sum + Gpu.allocatedBytes(byteLength), 0);
  const { state, testState, tables } = parts;
  const shares = {
    parameters: parts.network.parameterBytes,
    optimizer: bytes(tensorsOf(parts.slots)),
    data: bytes(dataTensors(parts)),
    activations: sharedSlots(builders.map((builder) => builder.plan().slots)).reduce(
      (sum, size) => sum + size,
      0,
    ),
    counters: bytes([state, testState, ...tables.tensors]) + MetricsReader.bytes,
  };
  return { ...shares, peakBytes: Object.values(shares).reduce((sum, share) => sum + share, 0) };
}
