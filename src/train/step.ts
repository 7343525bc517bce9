/**
 * What a training owns on the GPU, and its two recorded programs: the training step and the test step. Everything is
 * declared first, so that the memory plan is whole before anything is allocated.
 */
import { isStreamed, type Source } from '../data/index.ts';
import { dtypeOf } from '../data/source.ts';
import { OptionError } from '../errors.ts';
import { type DType, Gpu, type HostData, ProgramBuilder, sharedSlots, sizeOf, Tensor } from '../gpu/index.ts';
import { type Model, Network, recordForward } from '../graph/index.ts';
import type { Activation, Parameter } from '../layers/index.ts';
import { asReal } from '../layers/layer.ts';
import { deriveRows } from '../layers/rows.ts';
import type { Loss, Optimizer, Penalty, Quantizer } from '../methods/index.ts';
import { advanceState, gatherBatch, STATE_WORDS } from '../ops/data.ts';
import { packSigns, unpackSigns } from '../ops/dense.ts';
import { add } from '../ops/elementwise.ts';
import { losses as recordLosses, tally as recordTally, tallyWords } from '../ops/loss.ts';
import { clipGradients } from '../ops/optim.ts';
import { unknownName } from '../options.ts';
import type { Augmentations } from './augment.ts';
import type { CheckedData } from './data.ts';
import { type Held, windowOf } from './feed.ts';
import { MetricsReader } from './metrics.ts';
import { declareSlots, recordUpdate, type Slots, Tables, tensorsOf } from './updates.ts';

/** Bytes of GPU memory that training needs, by what they are for. */
export interface TrainingPlan {
  /** Values of the network, latent weights and packed signs. */
  readonly parameters: number;
  /** What the optimizer keeps of each weight. */
  readonly optimizer: number;
  /** Samples: all that are resident, or the window of a stream. */
  readonly data: number;
  /** Between the layers, forward and backward; training and evaluation share it. */
  readonly activations: number;
  /** The state of training and test, metrics, tallies and tables of scheduled numbers. */
  readonly counters: number;
  /** All of them together. */
  readonly peakBytes: number;
}

/** A loss on an output, with its weight. */
export interface WeightedLoss {
  readonly loss: Loss;
  readonly weight: number;
  /** By name; undefined: the model's first. */
  readonly output: string | undefined;
  /** The teacher's output, by name; undefined: of the same name, or the only one. */
  readonly taught: string | undefined;
}

/** The options that decide what a step computes. */
export interface StepOptions {
  readonly batch: number;
  readonly optimizer: Optimizer;
  /** Optimizers of some parameters; undefined: none. */
  readonly overrides: readonly {
    readonly match: RegExp | string;
    readonly optimizer: Optimizer | undefined;
    /** What the learning rate is multiplied by there. */
    readonly rate: number;
  }[];
  readonly teacher: Network | undefined;
  readonly penalty: Penalty | undefined;
  /** The only one, or the first. */
  readonly loss: Loss;
  /** All of them, where there are several. */
  readonly losses?: readonly WeightedLoss[] | undefined;
  readonly fanScaledSteps: boolean;
  readonly augment: Augmentations | undefined;
  /** What gradients are brought to. */
  readonly clip: { readonly norm: number } | { readonly value: number } | undefined;
  /** What the loss of samples of each class is multiplied by. */
  readonly classWeights: readonly number[] | undefined;
  /** Who decides about the signs that gradients are reduced to: the trainer alone, or several; undefined: they are not. */
  readonly votes: 'alone' | Vote | undefined;
}

/**
 * What trainers decide together about the signs of a step's gradients.
 * @param ballot a bit a weight, 1 where its gradient is negative: parameter after parameter, each from a new word on
 * @param step steps done before this one
 * @returns what is decided, as the ballot is laid out
 */
export type Vote = (
  ballot: Uint32Array<ArrayBuffer>,
  step: number,
) => Promise<Uint32Array<ArrayBuffer>> | Uint32Array<ArrayBuffer>;

/** Everything on the GPU that a training owns. */
export interface Parts {
  readonly network: Network;
  readonly slots: readonly Slots[];
  readonly train: Held;
  /** Absent where there is no such split. */
  readonly test: Held | undefined;
  readonly validation: Held | undefined;
  /** f32 [channels]: what normalises more than four channels that differ. */
  readonly affine: { readonly scale: Tensor; readonly shift: Tensor } | undefined;
  readonly state: Tensor;
  readonly testState: Tensor;
  /** u32: what an evaluation counts, of either split. */
  readonly tally: Tensor;
  /** Numbers of every step of an epoch, for each optimizer. */
  readonly tables: Tables;
  readonly metrics: MetricsReader;
  gather(held: Held, state: Tensor, training: boolean): Parameters<typeof gatherBatch>[1];
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

/** What a training uses whose gradients have twins. */
export function checkedMethods(
  { layers }: Model,
  options: Pick<StepOptions, 'loss' | 'losses' | 'penalty'>,
): (Quantizer | Penalty | Loss)[] {
  const quantizers = layers.flatMap(({ layer, parameters }) => [
    ...(layer.traits?.quantizers ?? []),
    ...parameters.flatMap(({ quantizer }) => quantizer ?? []),
  ]);
  const { penalty } = options;
  return [
    ...quantizers,
    ...(penalty === undefined ? [] : [penalty]),
    ...lossesOf(options).map(({ loss }) => loss),
  ];
}

/** Steps of one epoch. */
export function batchesOf(data: CheckedData, batch: number): number {
  return Math.floor(data.train.count / batch);
}

/**
 * Declares everything; nothing is allocated.
 * @param lender a training of the same samples: what is resident of them is its
 */
export function declareParts(
  gpu: Gpu,
  model: Model,
  data: CheckedData,
  options: StepOptions,
  lender?: Parts,
): Parts {
  const network = new Network(gpu, model);
  const train = declareHeld(gpu, 'train', data.train, data, options, lender?.train);
  const evaluated = (split: EvaluatedSplit) => {
    const source = data[split];
    if (source === undefined || source.count === 0) return undefined;
    return declareHeld(gpu, split, source, data, { ...options, classWeights: undefined }, lender?.[split]);
  };
  const [outputs = 0] = model.outputShape;
  const { scale, shift } = data.normalise;
  const channels = data.image.at(-1) ?? 1;
  const affine =
    channels > 4 && Math.max(scale.length, shift.length) > 1
      ? { scale: new Tensor('scale', [channels], 'f32'), shift: new Tensor('shift', [channels], 'f32') }
      : undefined;
  const slots = [...network.parameters.values()]
    .filter(({ spec }) => spec.role !== 'statistic' && spec.derived !== true)
    .flatMap((parameter) => {
      const optimizer = optimizerFor(options, parameter.name);
      if (optimizer === undefined) return [];
      return [declareSlots(optimizer, parameter, network.parameters, options.votes !== undefined)];
    });
  return {
    network,
    slots,
    train,
    test: evaluated('test'),
    validation: evaluated('validation'),
    affine,
    tally: new Tensor('counts of an evaluation', [tallyWords(data.targets, outputs)], 'u32'),
    state: new Tensor('train state', [STATE_WORDS], 'u32'),
    testState: new Tensor('test state', [STATE_WORDS], 'u32'),
    tables: new Tables(slots, batchesOf(data, options.batch)),
    metrics: new MetricsReader(gpu),
    gather: (held, state, training) => ({
      ...held,
      state,
      batch: options.batch,
      shuffle: training,
      scale,
      shift,
      ...(affine === undefined ? {} : { affine }),
      ...(training && options.augment?.picked ? { augment: options.augment.picked } : {}),
      ...(training ? { change: options.augment?.change } : {}),
    }),
  };
}

/** What the GPU is to hold of a source: all of it, or a window where it is a stream. */
function declareHeld(
  { limits }: Gpu,
  name: string,
  source: Source,
  { image, targets, width }: CheckedData,
  { batch, classWeights }: Pick<StepOptions, 'batch' | 'classWeights'>,
  lent: Held | undefined,
): Held {
  const { count } = source;
  const dtype = dtypeOf(source);
  const bytes = sizeOf(image) * (dtype === 'u8' ? 1 : 4);
  // What no kernel can bind as a whole goes to the GPU as a stream does.
  const most = limits.maxStorageBufferBindingSize;
  const isWhole = !isStreamed(source) && count * bytes <= most;
  const window = isWhole ? undefined : windowOf(count, batch, bytes, most);
  const places = window === undefined ? count : window.slots * window.slot;
  const weighted = isStreamed(source) ? source.weighted === true : source.weights !== undefined;
  const tensor = (what: string, shape: readonly number[], type: DType) =>
    new Tensor(`${name} ${what}`, [places, ...shape], type);
  const weights = weighted || classWeights !== undefined ? tensor('weights', [], 'f32') : undefined;
  if (isWhole && lent !== undefined) {
    lent.users.count += 1;
    return { ...lent, weights, borrowed: true };
  }
  return {
    images: tensor('images', image, dtype),
    labels:
      targets === 'classes'
        ? tensor('labels', [], 'u32')
        : tensor('labels', [width], targets === 'bits' ? 'u8' : 'f32'),
    ...{ weights, window, users: { count: 1 }, borrowed: false },
  };
}

function ownTensors(parts: Parts): Tensor[] {
  const { state, testState, tally, tables } = parts;
  return [...tensorsOf(parts.slots), ...dataTensors(parts), state, testState, tally, ...tables.tensors];
}

function heldBy({ train, test, validation }: Parts): Held[] {
  return [train, test, validation].filter((split) => split !== undefined);
}

/** Without what another training lent. */
function dataTensors(parts: Parts): Tensor[] {
  const held = heldBy(parts).flatMap(({ images, labels, weights, borrowed }) => [
    ...(borrowed ? [] : [images, labels]),
    ...(weights === undefined ? [] : [weights]),
  ]);
  return [...held, ...Object.values(parts.affine ?? {})];
}

/** Gives everything but the network its memory, and the data set its samples, but those of streams. */
export function allocateParts(parts: Parts, data: CheckedData, { classWeights }: StepOptions): void {
  const { gpu } = parts.network;
  const { affine } = parts;
  const contents = new Map<Tensor, HostData>([
    ...contentsOf(parts.train, data.train, classWeights),
    ...contentsOf(parts.test, data.test, undefined),
    ...contentsOf(parts.validation, data.validation, undefined),
  ]);
  if (affine !== undefined) {
    for (const name of ['scale', 'shift'] as const) {
      const values = data.normalise[name];
      contents.set(affine[name], affineValues(values, affine[name].size));
    }
  }
  for (const tensor of ownTensors(parts)) gpu.allocate(tensor, contents.get(tensor));
  parts.metrics.allocate();
}

function contentsOf(
  held: Held | undefined,
  source: Source | undefined,
  classWeights: readonly number[] | undefined,
): (readonly [Tensor, HostData])[] {
  if (held === undefined || held.window !== undefined || source === undefined || isStreamed(source))
    return [];
  const { images, labels } = source;
  const weights = Float32Array.from(
    { length: held.weights?.size ?? 0 },
    (_, i) => (source.weights?.[i] ?? 1) * (classWeights?.[labels[i] ?? 0] ?? 1),
  );
  const { dtype } = held.labels;
  const targets = dtype === 'f32' ? labels : (dtype === 'u8' ? Uint8Array : Uint32Array).from(labels);
  return [
    ...(held.borrowed ? [] : [[held.images, images] as const, [held.labels, targets as HostData] as const]),
    ...(held.weights === undefined ? [] : [[held.weights, weights] as const]),
  ];
}

/** One number for each channel. */
function affineValues(values: readonly number[], channels: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: channels }, (_, channel) => values[channel % values.length] ?? 0);
}

/** Frees what has memory. */
export function disposeParts(parts: Parts): void {
  if (!parts.network.disposed) parts.network.dispose();
  // Samples go with the last training that uses them.
  const shared = heldBy(parts).flatMap(({ images, labels, users }) => {
    users.count -= 1;
    return users.count === 0 ? [] : [images, labels];
  });
  const lent = heldBy(parts).flatMap(({ images, labels, borrowed }) => (borrowed ? [images, labels] : []));
  for (const tensor of [...ownTensors(parts), ...lent]) {
    if (tensor.isPlaced && !shared.includes(tensor)) tensor.dispose();
  }
  parts.metrics.dispose();
}

/**
 * Gather, forward, loss, backward with updates, advance: one step of training.
 * @param frozen names of parameters that aren't updated
 * @returns the step; where trainers vote in two parts: what comes before the vote, and the updates
 */
export function recordTrainStep(
  parts: Parts,
  options: StepOptions,
  data: CheckedData,
  frozen: readonly string[] = [],
): readonly ProgramBuilder[] {
  const { network, state, tables, metrics, slots } = parts;
  const { model, parameters, gpu } = network;
  const slotsOf = new Map(slots.map((entry) => [entry.parameter.name, entry]));
  const label = `training step of ${model.name} on ${data.name}`;
  const builder = new ProgramBuilder(gpu, label);
  const ending =
    typeof options.votes === 'function' ? new ProgramBuilder(gpu, `${label}, as voted`) : builder;
  const picked = gatherBatch(builder, parts.gather(parts.train, state, true));
  const [outputs = 1] = model.outputShape;
  const { x, targets, weights, shares } = options.augment?.mix(builder, picked, state, outputs) ?? {
    ...picked,
    shares: false,
  };
  const pass = recordForward(builder, model, trainedBy(parameters, slots), x, {
    training: true,
    several: options.losses !== undefined,
    state,
    numbersOf: (quantizer) => tables.of(quantizer),
  });
  const compared = comparedOutputs(builder, model, options, pass.outputs, x);
  const shared = { targets, shares, weights, state, metrics: metrics.ring };
  const gradOutputs = byOutput(builder, model, compared, recordLosses(builder, compared, shared));
  const changed = new Set<string>();
  const update = (entry: Slots, gradient: Tensor) => {
    const { fanScaledSteps: fanScaled, penalty } = options;
    const stream = slots.indexOf(entry);
    recordUpdate(ending, entry, gradient, { state, tables, fanScaled, penalty, stream });
    changed.add(entry.parameter.name);
  };
  const { clip } = options;
  const kept: (readonly [entry: Slots, gradient: Tensor])[] = [];
  const ballots: (readonly [entry: Slots, ballot: Tensor])[] = [];
  pass.backward(gradOutputs, (parameter, gradient) => {
    const entry = slotsOf.get(parameter.name);
    if (entry === undefined || frozen.includes(parameter.name)) return;
    const { ballot } = entry;
    if (ballot !== undefined) {
      packSigns(builder, gradient.reshape(ballot.shape), { out: ballot });
      ballots.push([entry, ballot]);
    }
    // The length of all of them is known when all are there.
    else if (clip !== undefined && 'norm' in clip) kept.push([entry, gradient]);
    else update(entry, clip === undefined ? gradient : onlyOf(clipGradients(builder, [gradient], clip)));
  });
  if (clip !== undefined && kept.length > 0) {
    const gradients = clipGradients(
      builder,
      kept.map(([, gradient]) => gradient),
      clip,
    );
    for (const [i, [entry]] of kept.entries()) update(entry, onlyOf(gradients.slice(i, i + 1)));
  }
  for (const [entry, ballot] of ballots) {
    update(entry, unpackSigns(ending, ballot).reshape(entry.parameter.spec.shape));
  }
  for (const parameter of network.binaryParameters) {
    const { name } = parameter;
    if (!changed.has(name) && !changed.has(`${name}Learned`)) continue;
    deriveRows(ending, parameter, (ending) => parameters.get(`${name}${ending}`), {
      flips: slotsOf.get(name)?.flips,
    });
  }
  advanceState(ending, state);
  return ending === builder ? [builder] : [builder, ending];
}

function onlyOf([first]: readonly Tensor[]): Tensor {
  if (first === undefined) throw new Error('a gradient that is clipped is one still');
  return first;
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

/** All losses of a training. */
function lossesOf({ loss, losses }: Pick<StepOptions, 'loss' | 'losses'>): readonly WeightedLoss[] {
  return losses ?? [{ loss, weight: 1, output: undefined, taught: undefined }];
}

/** An output with its loss. */
interface Compared {
  readonly loss: Loss;
  readonly weight: number;
  readonly logits: Tensor;
  readonly teacher: Tensor | undefined;
  /** The output's place in the model. */
  readonly place: number;
}

/** What each loss compares, with the outputs of a teacher where it wants them. @throws OptionError for names of no output */
function comparedOutputs(
  builder: ProgramBuilder,
  model: Model,
  options: StepOptions,
  outputs: readonly Activation[],
  x: Tensor,
): Compared[] {
  const losses = lossesOf(options);
  const taught = losses.some(({ loss }) => loss.teacher) ? taughtOutputs(builder, options, x) : [];
  return losses.map(({ loss, weight, output, taught: name = output }) => {
    const place = placeOf(model, output, loss.name);
    const activation = outputs[place] as Activation;
    const teacher =
      options.teacher && loss.teacher ? taught[placeOf(options.teacher.model, name, loss.name)] : undefined;
    return { loss, weight, logits: asReal(builder, activation), teacher, place };
  });
}

/** The place of an output by its name: the first without one, and the only one of a model. */
function placeOf({ outputs, name: model }: Model, name: string | undefined, where: string): number {
  const found = name === undefined ? 0 : outputs.findIndex((output) => output.name === name);
  if (found >= 0) return found;
  throw unknownName(
    'output',
    String(name),
    outputs.map((output) => output.name),
    `${model}: the loss ${where}`,
  );
}

/** Gradients by the model's outputs: of an output with several losses, their sum. */
function byOutput(
  builder: ProgramBuilder,
  { outputs }: Model,
  compared: readonly Compared[],
  gradients: readonly Tensor[],
): (Tensor | undefined)[] {
  return outputs.map((_, place) =>
    gradients
      .filter((_gradient, i) => compared[i]?.place === place)
      .reduce<Tensor | undefined>(
        (sum, own) => (sum === undefined ? own : add(builder, sum, own)),
        undefined,
      ),
  );
}

/** The outputs of the teacher for a batch. @throws OptionError where there is none */
function taughtOutputs(builder: ProgramBuilder, { loss, teacher }: StepOptions, x: Tensor): Tensor[] {
  if (teacher === undefined) {
    throw new OptionError('This loss compares with a teacher, and there is none.', {
      given: loss.name,
      where: 'Trainer.create',
      remedy: 'give `teacher`, a network on the same GPU',
    });
  }
  return builder.within('teacher', () => {
    const { model, parameters } = teacher;
    const pass = recordForward(builder, model, parameters, x, { training: false, several: true });
    return pass.outputs.map((output) => asReal(builder, output));
  });
}

/** A split that is evaluated. */
export type EvaluatedSplit = 'test' | 'validation';

/**
 * Gather in order, forward in inference mode, loss, counts, advance: one batch of a split that is evaluated.
 * @returns nothing where there is no such split
 */
export function recordTestStep(
  parts: Parts,
  options: StepOptions,
  data: CheckedData,
  split: EvaluatedSplit = 'test',
): ProgramBuilder | undefined {
  const { network, testState, tally, metrics } = parts;
  const held = parts[split];
  if (held === undefined) return undefined;
  const { model, parameters, gpu } = network;
  const builder = new ProgramBuilder(gpu, `${split} step of ${model.name} on ${data.name}`);
  const { x, targets, weights } = gatherBatch(builder, parts.gather(held, testState, false));
  const several = options.losses !== undefined;
  const pass = recordForward(builder, model, parameters, x, { training: false, several });
  const compared = comparedOutputs(builder, model, options, pass.outputs, x);
  const shared = { targets, weights, state: testState, metrics: metrics.ring };
  recordLosses(builder, compared, { ...shared, evaluate: true });
  // Scores are those of the first loss's output, as hits are.
  for (const { logits } of compared.slice(0, 1)) recordTally(builder, { logits, targets, tally });
  advanceState(builder, testState);
  return builder;
}

/** What the training will need, before anything is allocated. */
export function planTraining(parts: Parts, builders: readonly ProgramBuilder[]): TrainingPlan {
  const bytes = (tensors: readonly Tensor[]) =>
    tensors.reduce((sum, { byteLength }) => sum + Gpu.allocatedBytes(byteLength), 0);
  const { state, testState, tally, tables } = parts;
  const shares = {
    parameters: parts.network.parameterBytes,
    optimizer: bytes(tensorsOf(parts.slots)),
    data: bytes(dataTensors(parts)),
    activations: sharedSlots(builders.map((builder) => builder.plan().slots)).reduce(
      (sum, size) => sum + size,
      0,
    ),
    counters: bytes([state, testState, tally, ...tables.tensors]) + MetricsReader.bytes,
  };
  return { ...shares, peakBytes: Object.values(shares).reduce((sum, share) => sum + share, 0) };
}
