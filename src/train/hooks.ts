/**
 * Hooks: code of one's own between two steps or after an epoch. A hook may read and write parameters, freeze them, and stop
 * the training. It is called after a fixed number of steps, when nothing is under way, so that the same training gives the
 * same bits, whole or resumed.
 *
 *   const freezeLate: Hook = {
 *     everySteps: 100,
 *     async onSteps({ step, freeze }) {
 *       if (step === 500) await freeze(/^conv1\//);
 *     },
 *   };
 *   await trainer.fit({ hooks: [freezeLate] });
 */
import { listed, OptionError } from '../errors.ts';
import type { Shape } from '../gpu/index.ts';
import type { Parameter } from '../layers/index.ts';
import { assertKnownOptions, namesOf, unknownName } from '../options.ts';
import type { EpochInfo } from './progress.ts';
import type { Run, StepTap } from './run.ts';
import { matches } from './step.ts';

/** What a hook says: `stop` ends the training; everything else lets it go on. */
// biome-ignore lint/suspicious/noConfusingVoidType: an async function that returns nothing is a promise of void
export type HookVerdict = 'stop' | undefined | void;

/** What is called between steps and after epochs, and may read, write, freeze and stop. */
export interface Hook {
  /** Steps between two calls of `onSteps`, counted from the start of the training; needed with it. */
  readonly everySteps?: number;
  /** Called after every `everySteps` steps; awaited, before the next step and before a checkpoint that is due. */
  readonly onSteps?: (context: HookContext) => HookVerdict | Promise<HookVerdict>;
  /** Called after every epoch, when it was evaluated; awaited. */
  readonly onEpoch?: (context: HookContext, info: EpochInfo) => HookVerdict | Promise<HookVerdict>;
  /**
   * What of the hook a checkpoint keeps, as tensors by name: a resumed training has the same bits only if the hook goes on as
   * if it hadn't stopped. Who resumes makes the hook of them: they are in the checkpoint's `tensors`. A hook that decides by
   * its context alone needs none.
   */
  readonly state?: StepTap['state'] | undefined;
}

/** Where the training is, and what a hook may do there; only while the hook is awaited. */
export interface HookContext {
  /** Steps done since the start. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Epochs of the whole training. */
  readonly epochs: number;
  /** Steps of this epoch done, and in all. */
  readonly batch: number;
  /** Steps of an epoch. */
  readonly batches: number;
  /** The epochs that are over, but for the one that `onEpoch` is told of. */
  readonly history: readonly EpochInfo[];
  /** Names of all parameters: `layer/parameter`. */
  readonly parameters: readonly string[];
  /** Names of those that are frozen now. */
  readonly frozen: readonly string[];
  /**
   * A parameter's shape; the first axis of weights counts filters.
   * @throws OptionError for an unknown name
   */
  shape(name: string): Shape;
  /**
   * A parameter's values; latent weights of binary ones.
   * @throws OptionError for an unknown name
   */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Sets a parameter, and renews its packed signs. Of an optimizer that moves signs alone the signs are taken.
   * @throws OptionError for an unknown name, numbers that aren't finite, and clipped latent weights outside [-1, 1];
   *   ShapeError when there are more or fewer of them
   */
  write(name: string, values: Float32Array): Promise<void>;
  /**
   * Leaves parameters as they are from the next step on, until they are thawed: what the optimizer keeps of them rests, too.
   * The step is compiled anew, which takes as long as `Trainer.create` took for it, at most; checkpoints keep what is frozen.
   * Running statistics are no trained parameters: they go on.
   * @param match a name, or a pattern
   * @returns all that are frozen now
   * @throws OptionError where no trained parameter is meant
   */
  freeze(match: RegExp | string): Promise<readonly string[]>;
  /** The opposite. @returns all that are frozen still @throws OptionError where no trained parameter is meant */
  thaw(match: RegExp | string): Promise<readonly string[]>;
}

const HOOK = namesOf<Hook>({ everySteps: true, onSteps: true, onEpoch: true, state: true });

/** @throws OptionError for what is no hook, and where `onSteps` has no number of steps */
export function assertHookList(hooks: readonly Hook[]): void {
  if (!Array.isArray(hooks)) {
    throw new OptionError('Hooks are given as a list.', { given: typeof hooks, where: 'fit: hooks' });
  }
  for (const [index, hook] of hooks.entries()) {
    const where = `fit: hooks[${index}]`;
    assertKnownOptions(hook, HOOK, where);
    for (const name of ['onSteps', 'onEpoch', 'state'] as const) {
      if (hook[name] === undefined || typeof hook[name] === 'function') continue;
      throw new OptionError('This member of a hook is a function.', {
        given: `${name}: ${typeof hook[name]}`,
        where,
      });
    }
    if (hook.onSteps === undefined && hook.onEpoch === undefined) {
      throw new OptionError('A hook does something after steps or epochs.', {
        given: 'neither onSteps nor onEpoch',
        where,
      });
    }
    const { everySteps } = hook;
    if (hook.onSteps === undefined && everySteps === undefined) continue;
    if (Number.isSafeInteger(everySteps) && Number(everySteps) > 0) continue;
    throw new OptionError('A hook with onSteps is called every so many steps.', {
      given: `everySteps = ${everySteps}`,
      expected: 'a positive integer',
      where,
    });
  }
}

/** Steps from `step` on until the next hook is due. */
export function untilHook(hooks: readonly Hook[], step: number): number {
  return hooks.reduce(
    (least, { onSteps, everySteps = 1 }) =>
      onSteps === undefined ? least : Math.min(least, everySteps - (step % everySteps)),
    Number.POSITIVE_INFINITY,
  );
}

/** Calls those that are due where the run is. @returns whether one of them said stop */
export async function callAfterSteps(run: Run, hooks: readonly Hook[]): Promise<boolean> {
  const { step } = run.progress;
  return callEach(run, hooks, ({ onSteps, everySteps = 1 }, context) =>
    step % everySteps === 0 ? onSteps?.(context) : undefined,
  );
}

/** Calls all after an epoch. @returns whether one of them said stop */
export async function callAfterEpoch(run: Run, hooks: readonly Hook[], info: EpochInfo): Promise<boolean> {
  return callEach(run, hooks, ({ onEpoch }, context) => onEpoch?.(context, info));
}

/** One after the other, in their order; all of them, whatever one says. */
async function callEach(
  run: Run,
  hooks: readonly Hook[],
  call: (hook: Hook, context: HookContext) => HookVerdict | Promise<HookVerdict>,
): Promise<boolean> {
  let stops = false;
  for (const hook of hooks) {
    const verdict = await run.during(() => call(hook, contextOf(run)));
    stops ||= verdict === 'stop';
  }
  return stops;
}

function contextOf(run: Run): HookContext {
  const { network, gpu } = run;
  const { step, epoch, batch } = run.progress;
  const parameterOf = (name: string): Parameter => {
    const parameter = network.parameters.get(name);
    if (parameter !== undefined) return parameter;
    throw unknownName('parameter', String(name), [...network.parameters.keys()], 'hook');
  };
  const inTurn = <T>(what: string, body: () => Promise<T>): Promise<T> =>
    run.whilePaused(body) ??
    Promise.reject(
      new OptionError('The hook is over.', {
        given: what,
        where: 'hook',
        remedy: 'await what a hook does inside of it: let it be async, or return the promise',
      }),
    );
  return {
    ...{ step, epoch: epoch + 1, epochs: run.options.epochs, batch, batches: run.batches },
    history: run.progress.history,
    parameters: [...network.parameters.keys()],
    get frozen() {
      return run.progress.frozen ?? [];
    },
    shape: (name) => parameterOf(name).spec.shape,
    read: (name) => inTurn(`read('${name}')`, async () => gpu.readFloats(parameterOf(name).value)),
    write: (name, values) =>
      inTurn(`write('${name}')`, async () => {
        const written = assertWritable(run, parameterOf(name), values);
        await run.edit(() => network.write(new Map([[name, written]])));
      }),
    freeze: (match) =>
      inTurn(`freeze(${match})`, () => freeze(run, (name) => matches(match, name), String(match), true)),
    thaw: (match) =>
      inTurn(`thaw(${match})`, () => freeze(run, (name) => matches(match, name), String(match), false)),
  };
}

async function freeze(
  run: Run,
  isMeant: (name: string) => boolean,
  given: string,
  freezes: boolean,
): Promise<readonly string[]> {
  const trained = run.parts.slots.map(({ parameter }) => parameter.name);
  if (!trained.some(isMeant)) {
    throw new OptionError('No parameter that is trained has such a name.', {
      given,
      expected: listed(trained),
      where: freezes ? 'freeze' : 'thaw',
    });
  }
  const frozen = run.progress.frozen ?? [];
  const after = trained.filter((name) => (isMeant(name) ? freezes : frozen.includes(name)));
  if (after.join() !== frozen.join()) await run.freeze(after);
  return after;
}

/** The values as the training keeps them. @throws OptionError or ShapeError for those that it can't have */
function assertWritable(run: Run, { name, spec, value }: Parameter, values: Float32Array): Float32Array {
  if (!(values instanceof Float32Array) || values.length !== value.size) {
    throw new OptionError('A parameter is written whole, as a Float32Array.', {
      given: values instanceof Float32Array ? `${values.length} values` : typeof values,
      expected: `${value.size} values`,
      where: name,
    });
  }
  const bad = values.findIndex((own) => !Number.isFinite(own));
  if (bad >= 0) {
    throw new OptionError('A parameter is made of finite numbers.', {
      given: `${values[bad]} at ${bad}`,
      where: name,
    });
  }
  if (spec.role !== 'binary') return values;
  const optimizer = run.parts.slots.find(({ parameter }) => parameter.name === name)?.optimizer;
  if (optimizer?.definition.signsOnly === true) return values.map((own) => (own < 0 ? -1 : 1));
  const outside = spec.weightClip === false ? -1 : values.findIndex((own) => Math.abs(own) > 1);
  if (outside < 0) return values;
  throw new OptionError('Latent weights that are clipped are in [-1, 1].', {
    given: `${values[outside]} at ${outside}`,
    where: name,
    remedy: 'clip them before they are written',
  });
}
