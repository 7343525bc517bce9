/**
 * What a training keeps for each parameter, and how its updates are recorded. Binary parameters are updated on their latent
 * weights, which are clipped and packed in the same kernel.
 */
import { type ProgramBuilder, type Shape, Tensor } from '../gpu/index.ts';
import type { Parameter } from '../layers/index.ts';
import { type Optimizer, type Penalty, type RatedTime, resolveQuantizer } from '../methods/index.ts';
import {
  joinSlots,
  MEASURED,
  measuresOf,
  partSlots,
  slotsShape,
  updateBinary,
  updateReal,
} from '../ops/optim.ts';
import { rowGradient, statisticsFor } from '../ops/rows.ts';

/** What is kept of one parameter. */
export interface Slots {
  readonly parameter: Parameter;
  readonly optimizer: Optimizer;
  /** What the optimizer keeps, lane by lane (see `slotsShape`); undefined for one that keeps nothing. */
  readonly kept: Tensor | undefined;
  /** What the optimizer measures of its steps, see `measuresOf`; undefined for one that measures nothing. */
  readonly measures: Tensor | undefined;
  /** u32 [filters]: signs flipped since the counters were reset; binary parameters only. */
  readonly flips: Tensor | undefined;
  /** What its quantizer learns, of a binary parameter. */
  readonly learned: Tensor | undefined;
  /** bits [size]: signs of its gradient, then what was decided about them; of trainings that vote. */
  readonly ballot: Tensor | undefined;
}

/** All tensors of some slots. */
export function tensorsOf(slots: readonly Slots[]): Tensor[] {
  return slots.flatMap(({ kept, measures, flips, ballot }) =>
    [kept, measures, flips, ballot].filter((one) => one !== undefined),
  );
}

/**
 * Declares the slots of a parameter; they get memory later.
 * @param parameters all that the network has
 * @param votes whether gradients are reduced to signs
 */
export function declareSlots(
  given: Optimizer,
  parameter: Parameter,
  parameters: ReadonlyMap<string, Parameter>,
  votes: boolean,
): Slots {
  const binary = parameter.spec.role === 'binary';
  const optimizer = binary ? given : (given.real ?? given);
  const { shape } = parameter.spec;
  const count = optimizer.update.slots.length;
  const { size } = parameter.value;
  const form = slotsShape(size, rowLengthOf(parameter), count);
  const measured = optimizer.update.measure && measuresOf(size, binary ? shape.at(-1) : undefined);
  return {
    parameter,
    optimizer,
    kept: count === 0 ? undefined : new Tensor(`${parameter.name}.slots`, form, 'f32'),
    measures:
      measured === undefined ? undefined : new Tensor(`${parameter.name}.measured`, [measured], 'f32'),
    flips: binary ? new Tensor(`${parameter.name}.flips`, [shape[0] ?? 1], 'u32') : undefined,
    learned: parameters.get(`${parameter.name}Learned`)?.value,
    ballot: votes ? new Tensor(`${parameter.name}.ballot`, [size], 'bits') : undefined,
  };
}

/** Channels of a binary parameter, and all of another: what lanes are cut of. */
function rowLengthOf({ spec, value }: Parameter): number {
  return spec.role === 'binary' ? (spec.shape.at(-1) ?? 1) : value.size;
}

/** What an optimizer keeps, as checkpoints have it: a tensor of the parameter's shape for each slot, by its name. */
export interface NamedSlot {
  readonly name: string;
  readonly shape: Shape;
}

/** The names that the slots of a parameter have in a checkpoint. */
export function slotNames({ parameter, optimizer }: Slots): NamedSlot[] {
  return optimizer.update.slots.map((slot) => ({
    name: `${parameter.name}.${slot}`,
    shape: parameter.spec.shape,
  }));
}

/** Parts what was read of `kept` into one array a slot. */
export function partKept({ parameter, optimizer }: Slots, kept: Float32Array): Float32Array<ArrayBuffer>[] {
  return partSlots(kept, optimizer.update.slots.length, rowLengthOf(parameter));
}

/** The inverse of `partKept`. */
export function joinKept({ parameter }: Slots, parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  return joinSlots(parts, rowLengthOf(parameter));
}

/** What checkpoints have of what an optimizer measures, by its tensor's name: what outlives a step. */
export const MEASURED_SHAPE: Shape = [MEASURED];

/** What stands for the rest, which every step writes before it is read. */
export function wholeMeasures({ size }: Tensor, kept: Float32Array): Float32Array<ArrayBuffer> {
  const whole = new Float32Array(size);
  whole.set(kept);
  return whole;
}

/** Numbers that change from step to step: an optimizer's, or a quantizer's. */
export interface Changing {
  readonly name: string;
  /** Names of the numbers. */
  readonly scalars: readonly string[];
  scalarsAt(time: RatedTime): readonly number[];
}

/** The numbers that change from step to step, of each method of a training. */
export class Tables {
  /** f32 [rows, scalars] by method: a row a batch of the epoch, and one that is taken after the last. */
  readonly #tensors = new Map<Changing, Tensor>();
  readonly #batches: number;

  constructor(slots: readonly Slots[], batches: number) {
    this.#batches = batches;
    for (const { optimizer } of slots) this.of(optimizer);
  }

  get tensors(): readonly Tensor[] {
    return [...this.#tensors.values()];
  }

  /** The table of a method; declared where it is new, so that recording a step comes before the memory plan. */
  of(method: Changing): Tensor {
    const known = this.#tensors.get(method);
    if (known !== undefined) return known;
    const shape = [this.#batches + 1, method.scalars.length];
    const tensor = new Tensor(`numbers of ${method.name}`, shape, 'f32');
    this.#tensors.set(method, tensor);
    return tensor;
  }

  /** All numbers of a moment, whatever method they are of. */
  at(time: RatedTime): number[] {
    return [...this.#tensors.keys()].flatMap((method) => method.scalarsAt(time));
  }

  /** The rows of an epoch of some batches, by tensor. @param timeOf the moment of each batch */
  rows(
    batches: number,
    timeOf: (batch: number) => RatedTime,
  ): readonly (readonly [Tensor, Float32Array<ArrayBuffer>])[] {
    // The row after the last step's is taken, but never used: the next epoch brings a table of its own.
    const times = Array.from({ length: batches + 1 }, (_, i) => timeOf(Math.min(i, batches - 1)));
    return [...this.#tensors].map(
      ([method, tensor]) =>
        [tensor, new Float32Array(times.flatMap((time) => [...method.scalarsAt(time)]))] as const,
    );
  }
}

/**
 * Records the update of one parameter.
 * @param options.fanScaled scale the step by 1/√(1.5/(fanIn + fanOut)) (Courbariaux et al. 2016); binary parameters only
 */
export function recordUpdate(
  builder: ProgramBuilder,
  { parameter, optimizer, kept, measures, flips, learned }: Slots,
  gradient: Tensor,
  options: {
    readonly state: Tensor;
    readonly tables: Tables;
    readonly fanScaled: boolean;
    readonly penalty: Penalty | undefined;
    /** Of what the optimizer draws. */
    readonly stream: number;
  },
): void {
  const { spec, value, packed } = parameter;
  const { state, tables, fanScaled, penalty, stream } = options;
  const common = {
    stream,
    update: optimizer.update,
    grad: gradient,
    slots: kept,
    measures,
    state,
    table: tables.of(optimizer),
  };
  if (packed === undefined || flips === undefined) {
    updateReal(builder, { ...common, parameter: value });
    return;
  }
  const { fanIn, fanOut, weightClip = true } = spec;
  const quantizer = resolveQuantizer(spec.quantizer ?? 'steSign', parameter.name);
  const gated = (optimizer.definition.gradient ?? 'gated') === 'gated';
  const binary = {
    ...common,
    latent: value,
    packed,
    flips,
    stepScale: fanScaled ? 1 / Math.sqrt(1.5 / (fanIn + fanOut)) : 1,
    gradient: gated ? quantizer.filling : undefined,
    penalty: penalty?.filling,
    clipLatent: weightClip,
  };
  const { row: rule, scalars } = quantizer;
  if (rule === undefined && scalars.length === 0) {
    updateBinary(builder, binary);
    return;
  }
  const passed = gated
    ? rowGradient(builder, gradient, {
        x: value,
        statistics: statisticsFor(builder, value, rule),
        rule,
        passing: quantizer.passing,
        learned,
        ...(scalars.length === 0 ? {} : { table: tables.of(quantizer), state }),
      })
    : gradient;
  updateBinary(builder, {
    ...binary,
    grad: passed,
    gradient: undefined,
    // The signs of the weights themselves are nobody's, where the rule takes others.
    ...(rule?.hasArgument && {
      packed: builder.transient('signs of latents', packed.shape, 'bits'),
      flips: builder.transient('flips of latents', flips.shape, 'u32'),
    }),
  });
}
