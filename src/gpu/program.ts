/**
 * Programs: a list of dispatches that is recorded once, planned, compiled and then replayed with next to no work in
 * JavaScript. Every operation of the library, from one packing call to a whole training step, is a program.
 *
 *   const builder = new ProgramBuilder(gpu, 'example');
 *   const out = builder.transient('out', [4, 8], 'f32');
 *   builder.dispatch(kernel, { a, b, out }, { M: 4, N: 8 });
 *   const program = await builder.compile();
 *   program.run();
 */
import { DISPOSE, Owner } from '../dispose.ts';
import { DisposedError, GpuValidationError, MemoryPlanError, OptionError } from '../errors.ts';
import { BUFFER_USAGE, Gpu } from './context.ts';
import { type Access, type KernelSpec, partsOf } from './kernel.ts';
import type { Pace } from './pace.ts';
import { growSlots, type Lifetime, planSlots, type SlotPlan, sharedSlots } from './plan.ts';
import { type Dispatch, type MakeDispatch, Recording, type RecordingPass } from './recording.ts';
import { cut, type Part, type Step } from './steps.ts';
import { type DType, type Placement, type Shape, Tensor } from './tensor.ts';

/** The memory of a recorded program, known before any of it is allocated. */
export interface MemoryPlan extends SlotPlan {
  /** The transient tensors, in the order of `assignment`. */
  readonly tensors: readonly Tensor[];
  /** When each of them is in use: places among the dispatches that run. */
  readonly lifetimes: readonly Lifetime[];
  /** The place of the first dispatch of the way back; how many there are, where there is none. */
  readonly turn: number;
}

/** What works in an arena: a program, or a routine. */
export interface Tenant {
  /** Bytes of the buffers that it needs. */
  readonly slots: readonly number[];
  /**
   * Makes what it needs to work in these buffers, one a slot.
   * @returns puts it to use
   */
  bind(buffers: readonly GPUBuffer[]): () => void;
}

interface Slot {
  readonly bytes: number;
  readonly buffer: GPUBuffer;
  readonly release: () => void;
}

/**
 * Memory for the transient tensors of one or several programs that never run at the same time (a training step and an
 * evaluation, say): their slots are the same buffers. Where a new program needs larger ones, the others move into them; what
 * the arena holds is bounded by the largest of them, however many there are.
 */
export class Arena extends Owner {
  readonly #gpu: Gpu;
  readonly #tenants = new Map<Tenant, readonly number[]>();
  #slots: readonly Slot[] = [];
  #reserved: readonly number[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor(gpu: Gpu) {
    super();
    this.#gpu = gpu;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.bytes, 0);
  }

  /**
   * Says what slots are to come, so that the first tenant is given buffers that suit all and nothing has to grow: growing
   * holds the old and the new buffer for a moment. Nothing is allocated yet.
   */
  reserve(slots: readonly number[]): void {
    this.#reserved = sharedSlots([this.#reserved, slots]);
  }

  /**
   * Gives a tenant its buffers. Where that fails, nothing has changed.
   * @param where names the tenant in errors
   * @throws OutOfMemoryError, GpuValidationError, DisposedError
   */
  admit(where: string, tenant: Tenant): Promise<void> {
    // One after another: what one makes larger, the next builds on.
    const admitted = this.#last.then(() => this.#admit(where, tenant));
    this.#last = admitted.catch(() => undefined);
    return admitted;
  }

  /** Forgets a tenant that doesn't work any more; the buffers stay for the others. */
  leave(tenant: Tenant): void {
    this.#tenants.delete(tenant);
  }

  /** Frees what it holds. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This arena was disposed already.', { where: 'Arena' });
    this.#disposed = true;
    for (const slot of this.#slots) slot.release();
    this.#slots = [];
    this.#tenants.clear();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  async #admit(where: string, tenant: Tenant): Promise<void> {
    this.#assertUsable();
    const before = this.#slots;
    const have = growSlots(
      before.map((slot) => slot.bytes),
      this.#reserved,
    );
    const { bytes, matched } = growSlots(have.bytes, tenant.slots);
    const made: Slot[] = [];
    try {
      const { slots, starts } = await this.#gpu.scoped(where, () => {
        const slots = bytes.map((size, i) => {
          const old = before[i];
          if (old?.bytes === size) return old;
          const { STORAGE, COPY_SRC, COPY_DST } = BUFFER_USAGE;
          const slot = { bytes: size, ...this.#gpu.createBuffer(where, size, STORAGE | COPY_SRC | COPY_DST) };
          made.push(slot);
          return slot;
        });
        const moving = [...this.#tenants].filter(([, at]) => at.some((i) => slots[i] !== before[i]));
        const starts = [...moving, [tenant, matched] as const].map(([one, at]) =>
          one.bind(at.flatMap((i) => slots[i]?.buffer ?? [])),
        );
        return { slots, starts };
      });
      this.#assertUsable();
      // Nothing below can fail.
      for (const start of starts) start();
      for (const slot of before) if (!slots.includes(slot)) slot.release();
      this.#slots = slots;
      this.#tenants.set(tenant, matched);
    } catch (cause) {
      for (const slot of made) slot.release();
      throw cause;
    }
  }

  #assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This arena was disposed.', { where: 'Arena' });
  }
}

/** Records dispatches and the tensors between them; operations are functions of it. */
export class ProgramBuilder {
  /** What it will run on. */
  readonly gpu: Gpu;
  /** What errors and profiles call it. */
  readonly label: string;
  readonly #dispatches: Dispatch[] = [];
  readonly #transients: Tensor[] = [];
  readonly #kept = new Set<Tensor>();
  readonly #inputs = new Set<Tensor>();
  readonly #passes = new Set<RecordingPass>();
  /** What the passes made of the dispatches, when there were so many. */
  #rewritten: { readonly of: number; readonly dispatches: readonly Dispatch[] } | undefined;
  #scope = '';
  #isBackward = false;

  constructor(gpu: Gpu, label: string) {
    this.gpu = gpu;
    this.label = label;
  }

  /** Dispatches recorded so far. */
  get dispatches(): number {
    return this.#dispatches.length;
  }

  /** Runs `body` with `name` in the labels and errors of what it records. */
  within<T>(name: string, body: () => T): T {
    const outer = this.#scope;
    this.#scope = outer === '' ? name : `${outer}/${name}`;
    try {
      return body();
    } finally {
      this.#scope = outer;
    }
  }

  /** Runs `body`, which records the way back: passes may make anew what is read there only. */
  backwards(body: () => void): void {
    this.#isBackward = true;
    body();
    this.#isBackward = false;
  }

  /** Has a pass look through all that is recorded when it is planned; once, however often it is asked for. */
  rewrite(pass: RecordingPass): void {
    this.#passes.add(pass);
  }

  /** A tensor that lives inside the program only; its first use must write all of it. */
  transient(label: string, shape: Shape, dtype: DType): Tensor {
    const tensor = new Tensor(this.#scope === '' ? label : `${this.#scope}/${label}`, shape, dtype);
    this.#transients.push(tensor);
    return tensor;
  }

  /** A transient tensor that the host, or another program, fills right before each run. */
  input(label: string, shape: Shape, dtype: DType): Tensor {
    const tensor = this.transient(label, shape, dtype);
    this.#inputs.add(tensor);
    return tensor;
  }

  /** Keeps a transient tensor intact to the end of the program, so that it can be read after a run. */
  keep(tensor: Tensor): Tensor {
    this.#kept.add(tensor.base);
    this.#rewritten = undefined;
    return tensor;
  }

  /** Records one dispatch. Types see to it that every binding and constant of the kernel is given. */
  dispatch<B extends Readonly<Record<string, Access>>, C extends string>(
    kernel: KernelSpec<B, C>,
    bindings: { readonly [K in keyof B]: Tensor },
    constants: Readonly<Record<C, number>>,
  ): void {
    this.#dispatches.push(this.#made(this.#scope, this.#isBackward, kernel, bindings, constants));
  }

  #made<B extends Readonly<Record<string, Access>>, C extends string>(
    scope: string,
    isBackward: boolean,
    kernel: KernelSpec<B, C>,
    bindings: { readonly [K in keyof B]: Tensor },
    constants: Readonly<Record<C, number>>,
  ): Dispatch {
    const where = scope === '' ? kernel.name : `${scope} (${kernel.name})`;
    for (const name of kernel.constants) {
      if (!Number.isFinite(constants[name])) {
        throw new OptionError('A constant of a kernel is missing or not a number.', {
          given: `${name} = ${constants[name]}`,
          where,
        });
      }
    }
    const tensors = Object.keys(kernel.bindings).map((name) => {
      const tensor = bindings[name];
      if (tensor === undefined)
        throw new OptionError('A binding of a kernel is missing.', { given: name, where });
      if (tensor.byteLength > this.gpu.limits.maxStorageBufferBindingSize) {
        throw new MemoryPlanError('A tensor is larger than this device can bind.', {
          given: `${tensor.label}: ${tensor.byteLength} bytes`,
          expected: `${this.gpu.limits.maxStorageBufferBindingSize} bytes at most`,
          where,
          remedy: 'use a smaller batch or a smaller model',
        });
      }
      return tensor;
    });
    const workgroups = kernel.workgroups(constants);
    const most = this.gpu.limits.maxComputeWorkgroupsPerDimension;
    if (workgroups.some((count) => count > most || !(count >= 1))) {
      throw new GpuValidationError('A dispatch is larger than this device allows.', {
        given: workgroups.join(' x '),
        expected: `1 to ${most} workgroups along each axis`,
        where,
      });
    }
    const spec = kernel as unknown as KernelSpec;
    return { kernel: spec, scope, label: where, tensors, constants, workgroups, isBackward };
  }

  /** What runs: what the passes make of what was recorded. */
  #needed(): readonly Dispatch[] {
    const of = this.#dispatches.length;
    if (this.#passes.size === 0) return this.#dispatches;
    if (this.#rewritten?.of !== of) {
      const transients = new Set(this.#transients);
      const make: MakeDispatch = ({ scope, isBackward }, ...given) => this.#made(scope, isBackward, ...given);
      const recording = new Recording(this.#dispatches, {
        gpu: this.gpu,
        make,
        another: ({ label, shape, dtype }) => {
          const tensor = new Tensor(label, shape, dtype);
          this.#transients.push(tensor);
          transients.add(tensor);
          return tensor;
        },
        isKept: ({ base }) => this.#kept.has(base) || !transients.has(base),
      });
      for (const pass of this.#passes) pass(recording);
      this.#rewritten = { of, dispatches: recording.dispatches };
    }
    return this.#rewritten.dispatches;
  }

  /** Memory the program will need, before any is allocated. */
  plan(): MemoryPlan {
    const first = new Map<Tensor, number>();
    const last = new Map<Tensor, number>();
    const needed = this.#needed();
    for (const tensor of this.#inputs) {
      first.set(tensor, -1);
      last.set(tensor, -1);
    }
    needed.forEach(({ tensors }, index) => {
      for (const { base: tensor } of tensors) {
        if (!first.has(tensor)) first.set(tensor, index);
        last.set(tensor, index);
      }
    });
    const used = this.#transients.filter((tensor) => first.has(tensor));
    const lifetimes = used.map(
      (tensor): Lifetime => ({
        bytes: tensor.byteLength,
        first: first.get(tensor) ?? 0,
        last: this.#kept.has(tensor) ? needed.length : (last.get(tensor) ?? 0),
      }),
    );
    const turn = needed.findIndex(({ isBackward }) => isBackward);
    return { ...planSlots(lifetimes), tensors: used, lifetimes, turn: turn < 0 ? needed.length : turn };
  }

  /**
   * Places the transient tensors, compiles the pipelines (in parallel, from the cache where they are there) and makes
   * the bind groups. A builder is compiled once.
   * @param options.arena memory shared with other programs; the program has its own when absent
   * @param options.maxBytes refuse a plan that needs more, before anything is allocated
   * @throws MemoryPlanError, OutOfMemoryError, GpuValidationError
   */
  async compile(options: { arena?: Arena; maxBytes?: number } = {}): Promise<Program> {
    const plan = this.plan();
    const limit = options.maxBytes ?? Number.MAX_SAFE_INTEGER;
    const largest = Math.max(0, ...plan.slots);
    if (plan.peakBytes > limit || largest > this.gpu.limits.maxBufferSize) {
      throw new MemoryPlanError('The memory plan does not fit; nothing was allocated.', {
        given: `${plan.peakBytes} bytes in all, ${largest} in one buffer`,
        expected: `at most ${limit} bytes in all, ${this.gpu.limits.maxBufferSize} in one buffer`,
        where: this.label,
        remedy: 'use a smaller batch or a smaller model',
      });
    }
    const needed = this.#needed().flatMap((dispatch) => inParts(dispatch, this.gpu.pace));
    const pipelines = await Promise.all(
      needed.map(({ kernel, constants }) => this.gpu.pipeline(kernel, constants)),
    );
    const arena = options.arena ?? new Arena(this.gpu);
    const steps = new PlacedSteps(this.gpu, plan, needed, pipelines);
    await arena.admit(this.label, steps);
    const leave = () => (options.arena === undefined ? arena.dispose() : arena.leave(steps));
    return new Program(this.gpu, this.label, steps.list, plan, leave);
  }
}

/** What a dispatch does, as far as it is known before it runs; 1 at least. */
function workOf({ kernel, constants, tensors }: Dispatch): number {
  return Math.max(1, kernel.work?.(constants) ?? tensors.reduce((sum, { size }) => sum + size, 0));
}

/** A dispatch with its share of the work. */
type Weighed = Dispatch & { readonly work: number };

/** A dispatch that would take long as several, each with its share of the work. */
function inParts(dispatch: Dispatch, pace: Pace): Weighed[] {
  const work = workOf(dispatch);
  const parts = partsOf(dispatch.kernel, dispatch.workgroups, pace.partsOfDispatch(work));
  return parts.map(({ workgroups, firstRow }) => ({
    ...dispatch,
    workgroups,
    // A pipeline without it is the one that others have, too.
    constants: firstRow === 0 ? dispatch.constants : { ...dispatch.constants, FIRST_ROW: firstRow },
    work: work / parts.length,
  }));
}

/** The steps of a program in the buffers of an arena. */
class PlacedSteps implements Tenant {
  /** Filled when they were admitted; the same objects from then on. */
  readonly list: Step[] = [];
  readonly slots: readonly number[];
  readonly #gpu: Gpu;
  readonly #plan: MemoryPlan;
  readonly #dispatches: readonly Weighed[];
  readonly #pipelines: readonly GPUComputePipeline[];
  /** Where operands lie that are none of the program's own, as they were found at first. */
  readonly #elsewhere = new Map<Tensor, GPUBufferBinding>();

  constructor(
    gpu: Gpu,
    plan: MemoryPlan,
    dispatches: readonly Weighed[],
    pipelines: readonly GPUComputePipeline[],
  ) {
    this.slots = plan.slots;
    this.#gpu = gpu;
    this.#plan = plan;
    this.#dispatches = dispatches;
    this.#pipelines = pipelines;
  }

  bind(buffers: readonly GPUBuffer[]): () => void {
    const own = new Map<Tensor, Placement>();
    this.#plan.tensors.forEach((tensor, i) => {
      const buffer = buffers[this.#plan.assignment[i] ?? -1];
      if (buffer !== undefined) own.set(tensor, { buffer, offset: 0 });
    });
    const bindingOf = (tensor: Tensor): GPUBufferBinding => {
      const placement = own.get(tensor.base);
      if (placement !== undefined) return bindingIn(placement, tensor);
      const binding = this.#elsewhere.get(tensor) ?? bindingIn(tensor.placement, tensor);
      this.#elsewhere.set(tensor, binding);
      return binding;
    };
    const steps = this.#dispatches.map(({ kernel, label, tensors, workgroups, work }, i): Step => {
      const pipeline = this.#pipelines[i] as GPUComputePipeline;
      const bindGroup = this.#gpu.bindGroup(kernel, label, tensors.map(bindingOf));
      return { pipeline, bindGroup, workgroups, label, kernel: kernel.name, work };
    });
    return () => {
      for (const [tensor, placement] of own) tensor.place(placement);
      steps.forEach((step, i) => {
        const known = this.list[i];
        if (known === undefined) this.list.push(step);
        else known.bindGroup = step.bindGroup;
      });
    };
  }
}

/** A recorded list of dispatches with its memory, to be run again and again. */
export class Program extends Owner {
  /** What errors and profiles call it. */
  readonly label: string;
  /** Which tensor lies where, and how many bytes they take. */
  readonly plan: MemoryPlan;
  /** An estimate of what one run does, in what `KernelSpec.work` counts. */
  readonly work: number;
  /** What it runs on. */
  readonly gpu: Gpu;
  /** What it dispatches, in order. */
  readonly steps: readonly Step[];
  readonly #leave: () => void;
  /** The steps of each submit, as they were cut last: the pace seldom changes. */
  #cut: { readonly mostWork: number; readonly parts: readonly Part[] } | undefined;
  #disposed = false;

  /** @param leave gives back its memory */
  constructor(gpu: Gpu, label: string, steps: readonly Step[], plan: MemoryPlan, leave: () => void) {
    super();
    this.gpu = gpu;
    this.label = label;
    this.steps = steps;
    this.work = steps.reduce((sum, { work }) => sum + work, 0);
    this.plan = plan;
    this.#leave = leave;
  }

  /** How many dispatches a run has. */
  get dispatches(): number {
    return this.steps.length;
  }

  /** Names of the kernels that it dispatches, in order. */
  get kernels(): readonly string[] {
    return this.steps.map(({ kernel }) => kernel);
  }

  /** Writes the dispatches into a pass of a caller's encoder; nothing is submitted. */
  encode(encoder: GPUCommandEncoder): void {
    this.assertUsable();
    this.#encode(encoder, this.steps);
  }

  #encode(encoder: GPUCommandEncoder, steps: readonly Step[]): void {
    const pass = this.gpu.pass(encoder);
    for (const { pipeline, bindGroup, workgroups } of steps) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
    }
    pass.end();
  }

  /** Submits the program, `times` over: in one submit, or in several where that would take long. Doesn't wait. */
  run(times?: number): void;
  /** @param last encodes what is to follow in the last of the submits. @returns what it returns */
  run<T>(times: number, last: (encoder: GPUCommandEncoder) => T): T;
  run<T>(times = 1, last?: (encoder: GPUCommandEncoder) => T): T | undefined {
    this.assertUsable();
    const { gpu } = this;
    const mostWork = gpu.pace.workOfSubmit;
    if (this.#cut?.mostWork !== mostWork) this.#cut = { mostWork, parts: cut(this.steps, mostWork) };
    const { parts } = this.#cut;
    let encoder = gpu.encoder(this.label);
    const encoders = [encoder];
    let work = 0;
    for (let i = 0; i < times; i++) {
      for (const part of parts) {
        if (work > 0 && work + part.work > mostWork) {
          encoder = gpu.encoder(this.label);
          encoders.push(encoder);
          work = 0;
        }
        this.#encode(encoder, part.steps);
        work += part.work;
      }
    }
    const result = last?.(encoder);
    // Only now, so that all of it is submitted or nothing.
    for (const each of encoders) gpu.submit(each);
    return result;
  }

  /** Frees the program's own memory; an arena that was handed in stays. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This program was disposed already.', { where: this.label });
    this.#disposed = true;
    this.#leave();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DisposedError */
  assertUsable(): void {
    if (this.#disposed) throw new DisposedError('This program was disposed.', { where: this.label });
  }
}

/** Records and runs one piece of work, waits for it, and frees what it used. For tests and one-off calls. */
export async function runOnce<T>(
  gpu: Gpu,
  label: string,
  record: (builder: ProgramBuilder) => T,
): Promise<{ result: T; [DISPOSE](): void }> {
  const builder = new ProgramBuilder(gpu, label);
  const result = record(builder);
  const program = await builder.compile();
  await gpu
    .scoped(label, () => program.run())
    .catch((cause: unknown) => {
      program.dispose();
      throw cause;
    });
  return { result, [DISPOSE]: () => program.dispose() };
}

function bindingIn({ buffer, offset }: Placement, { byteLength }: Tensor): GPUBufferBinding {
  return { buffer, offset, size: Math.min(Gpu.allocatedBytes(byteLength), buffer.size - offset) };
}
