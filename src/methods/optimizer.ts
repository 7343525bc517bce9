/**
 * Optimizers: how a weight moves, given its gradient. An optimizer says what it keeps of each weight, which numbers change
 * from step to step, and one function in WGSL with its float64 twin; the same function updates binary weights (on their
 * latent weights, which are clipped and packed in the same kernel) and real parameters.
 *
 *   const signSgd = defineOptimizer({
 *     name: 'signSgd',
 *     formula: 'w <- w - rate sign(g)',
 *     source: 'Bernstein et al. 2018',
 *     wgsl: `
 *       struct Scalars { rate: f32 }
 *       fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane {
 *         return w - scalars.rate * STEP_SCALE * sign(g);
 *       }`,
 *     twin: ({ w, g, scalars, stepScale }) => w - scalars.rate * stepScale * Math.sign(g),
 *   });
 *   await Trainer.create(gpu, model, data, { optimizer: signSgd() });
 */
import { OptionError } from '../errors.ts';
import { assertSignature } from '../gpu/index.ts';
import type { UpdateFunction } from '../ops/optim.ts';
import {
  checkDefinition,
  type Description,
  factoryOf,
  fieldsOf,
  type Method,
  type MethodFactory,
  overridesOf,
  type Parameters,
  type Values,
} from './method.ts';
import { assertSchedule, type StepTime, scheduledValues } from './schedules.ts';

/** A moment of the training, and its learning rate. */
export interface RatedTime extends StepTime {
  /** Learning rate of the step, by its schedule. */
  readonly rate: number;
}

/** One weight's step, for the twin. */
export interface TwinStep {
  /** The weight before the step. */
  readonly w: number;
  /** Gradient of the loss with respect to it. */
  readonly g: number;
  /** By the fields of `Slots`; the twin changes them. */
  readonly slots: Record<string, number>;
  /** By the fields of `Scalars`. */
  readonly scalars: Readonly<Record<string, number>>;
  /** Multiplies the step; see `UpdateOptions.stepScale`. */
  readonly stepScale: number;
  /** The mean of what was measured of the tensor in the step before; 0 of an optimizer that measures nothing. */
  readonly measured: number;
  /** A number from [0, 1), what the WGSL makes of `drawing`; 1/2 where nothing is drawn. */
  readonly chance: number;
}

/** What is measured of a tensor in each step. */
export interface Measure<P extends Parameters = Parameters> {
  /**
   * `fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane`, of a weight before and after its step, the gradient and
   * the slots as `update` left them. It may use `sign_lanes`, `measured` and parameters as overrides in upper case.
   */
  readonly wgsl: string;
  /** The mean before the first step. */
  readonly start: number;
  /** The same in float64, for one weight. */
  readonly twin: (
    step: {
      readonly was: number;
      readonly now: number;
      readonly g: number;
      readonly slots: Readonly<Record<string, number>>;
      readonly measured: number;
    },
    values: Values<P>,
  ) => number;
}

/** What `defineOptimizer` makes an optimizer of. */
export interface OptimizerDefinition<P extends Parameters = Parameters> extends Description<P> {
  /**
   * `struct Slots` (a `Lane` for each value kept of a weight; left away where there is none), `struct Scalars` (an f32 for
   * each number that changes from step to step) and
   * `fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane`, which gives the new weight. A
   * `Lane` is an f32 or a vec4f. Beside its arguments it may use STEP_SCALE, `sign_lanes`, `state`, `measured` of an optimizer
   * that measures, and its parameters as overrides in upper case. What it draws follows from `drawing`, four counters that are
   * others for each lane and step: with `//!include "lib/random.wgsl"`,
   * `lanes_of(vec4f(pcg4d(drawing) >> vec4u(8u)) * 0x1p-24)` is a number from [0, 1) for each weight.
   */
  readonly wgsl: string;
  /** The same in float64, for one weight. */
  readonly twin: (step: TwinStep, values: Values<P>) => number;
  /**
   * Numbers of a step by the fields of `Scalars`, beside `rate`, the learning rate, and the parameters, which have their
   * names there.
   * @param now the parameters at this step: those that are schedules are numbers
   */
  readonly scalars?: (
    time: RatedTime,
    values: Values<P>,
    now: { readonly [K in keyof P]: number },
  ) => Readonly<Record<string, number>>;
  /** Overrides of the WGSL that are no parameters. */
  readonly constants?: (values: Values<P>) => Readonly<Record<string, number>>;
  /**
   * One number of each tensor and step: the mean of a function of each weight's step, which the next step's `update` reads as
   * `measured`. It stays on the GPU, and is added up in a fixed order. Default: nothing is measured.
   */
  readonly measure?: Measure<P>;
  /** What the update of a binary weight has for `g`: gated by the quantizer of the weights (default), or as it comes. */
  readonly gradient?: 'gated' | 'plain';
  /** What layers multiply by while training: `sign` (default) of the weight, or the weight itself. */
  readonly forward?: 'sign' | 'value';
  /** Whether it moves signs alone: weights start as their signs, and stay so. Default false. */
  readonly signsOnly?: boolean;
  /**
   * What becomes of binary weights when the training is over, their signs say: called once, on the host, after the last step
   * and before the last evaluation; batch normalisation is fitted to them anew. Default: nothing.
   */
  readonly finish?: (
    parameter: {
      readonly weights: Float32Array<ArrayBuffer>;
      /** What was kept of each weight, by the fields of `Slots`. */
      readonly slots: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
    },
    values: Values<P>,
  ) => Float32Array;
  /** What updates parameters that aren't binary. Default: itself. */
  readonly real?: () => Optimizer;
}

/** How weights move, given their gradients. */
export interface Optimizer extends Method {
  /** Tells it from other methods. */
  readonly kind: 'optimizer';
  /** What it was made of. */
  readonly definition: OptimizerDefinition;
  /** What goes into the kernels. */
  readonly update: UpdateFunction;
  /** Names of the numbers that change from step to step. */
  readonly scalars: readonly string[];
  /** One row of the table. */
  scalarsAt(time: RatedTime): readonly number[];
  /** What updates parameters that aren't binary; undefined for itself. */
  readonly real: Optimizer | undefined;
}

/** Makes optimizers of a definition, with numbers of their own. */
export type OptimizerFactory<P extends Parameters = Parameters> = MethodFactory<
  Optimizer,
  P,
  OptimizerDefinition<P>
>;

const SIGNATURE = 'fn update(w: Lane, g: Lane, slots: ptr<function, Slots>, scalars: Scalars) -> Lane';
const MEASURE = 'fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane';

/**
 * Makes an optimizer of its definition.
 * @returns a factory: what it gives is an optimizer with numbers of its own
 * @throws OptionError for a definition that lacks a member, naming it
 */
export function defineOptimizer<const P extends Parameters = Record<never, never>>(
  definition: OptimizerDefinition<P>,
): OptimizerFactory<P> {
  const { name } = definition;
  const where = checkDefinition('optimizer', { ...definition }, SIGNATURE, 'twin');
  const slots = fieldsOf(definition.wgsl, 'Slots');
  const scalars = fieldsOf(definition.wgsl, 'Scalars');
  for (const [struct, type, fields] of [
    ['Slots', 'Lane', slots],
    ['Scalars', 'f32', scalars],
  ] as const) {
    const wrong = fields.find((field) => field.type !== type);
    if (wrong !== undefined) {
      throw new OptionError(`The fields of ${struct} are of type ${type}.`, {
        given: `${wrong.name}: ${wrong.type}`,
        where,
      });
    }
  }
  if (scalars.length === 0) {
    throw new OptionError('An optimizer reads at least one number a step.', {
      given: 'no struct Scalars',
      expected: 'struct Scalars { rate: f32 }',
      where,
    });
  }
  const { measure } = definition;
  if (measure !== undefined) assertMeasure(measure, where);
  // The frame has slots in any case; see HAS_SLOTS.
  const wgsl = slots.length > 0 ? definition.wgsl : `${definition.wgsl}\nstruct Slots {\n  unused: Lane,\n}`;
  const make = (values: Values<P>): Omit<Optimizer, keyof Method> => ({
    update: {
      name,
      wgsl,
      provides: ['update', 'Slots', 'Scalars'],
      slots: slots.map((field) => field.name),
      scalars: scalars.map((field) => field.name),
      constants: overridesOf(definition.wgsl, values, definition.constants?.(values) ?? {}, where),
      ...(measure && {
        measure: {
          name: `${name}'s measure`,
          wgsl: measure.wgsl,
          provides: ['measure'],
          constants: overridesOf(measure.wgsl, values, definition.constants?.(values) ?? {}, where),
          start: measure.start,
        },
      }),
    },
    scalars: scalars.map((field) => field.name),
    scalarsAt(time) {
      const now = scheduledValues(values, time);
      const row: Readonly<Record<string, number>> = {
        rate: time.rate,
        ...now,
        ...definition.scalars?.(time, values, now as { readonly [K in keyof P]: number }),
      };
      return scalars.map((field) => {
        const value = row[field.name];
        if (typeof value === 'number' && Number.isFinite(value)) return value;
        throw new OptionError("A step's number is missing, or isn't finite.", {
          given: `${field.name} = ${value} at step ${time.step}`,
          where,
        });
      });
    },
    real: definition.real?.(),
  });
  return factoryOf<Optimizer, P, OptimizerDefinition<P>>('optimizer', definition, make, assertSchedule);
}

/** @throws OptionError for a measure that lacks a member, naming it */
function assertMeasure({ wgsl, start, twin }: Measure<never>, where: string): void {
  const members = { wgsl: 'string', start: 'number', twin: 'function' } as const;
  for (const [member, type] of Object.entries(members)) {
    const given = { wgsl, start, twin }[member as keyof typeof members];
    if (typeof given === type && !Number.isNaN(given)) continue;
    throw new OptionError('What an optimizer measures lacks a member.', {
      given: `measure.${member}: ${typeof given}`,
      expected: member === 'wgsl' ? MEASURE : `a ${type}`,
      where,
    });
  }
  assertSignature(wgsl, MEASURE, where);
}
