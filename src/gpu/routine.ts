/**
 * Routines: programs whose operands are named when they run. A routine is recorded and planned once for its shapes, and
 * then encoded on whatever buffers a caller has, at whatever offsets, into the caller's own encoder. It submits nothing,
 * maps nothing, and never destroys a buffer that was handed to it.
 *
 *   const routine = new Routine(Gpu.fromDevice(device), 'pack and multiply', (b) => {
 *     const x = new Tensor('x', [64, 1024], 'f32');
 *     const w = new Tensor('w', [256, 1024], 'bits');
 *     return { x, w, y: binaryMatMul(b, packSigns(b, x), w) };
 *   });
 *   const bound = await routine.bind({ x: { buffer, offset: 4096 }, w: weights, y: result });
 *   bound.encode(encoder);
 */
import { Owner } from '../dispose.ts';
import { DisposedError, OptionError, ShapeError } from '../errors.ts';
import { BUFFER_USAGE, type Gpu } from './context.ts';
import type { Access, Constants, KernelSpec, Workgroups } from './kernel.ts';
import { type Lifetime, planSlots } from './plan.ts';
import { Arena, ProgramBuilder, type Tenant } from './program.ts';
import type { Step } from './steps.ts';
import { describe, type Tensor } from './tensor.ts';

/** Where an operand lies: a buffer, or a range of one that starts at `offset` bytes. */
export type Operand = GPUBuffer | { readonly buffer: GPUBuffer; readonly offset?: number | undefined };

interface Dispatch {
  readonly kernel: KernelSpec;
  readonly tensors: readonly Tensor[];
  readonly constants: Constants;
}

/** A builder that remembers what is recorded into it. */
class Recorder extends ProgramBuilder {
  readonly recorded: Dispatch[] = [];

  override dispatch<B extends Readonly<Record<string, Access>>, C extends string>(
    kernel: KernelSpec<B, C>,
    bindings: { readonly [K in keyof B]: Tensor },
    constants: Readonly<Record<C, number>>,
  ): void {
    super.dispatch(kernel, bindings, constants);
    const tensors = Object.keys(kernel.bindings).flatMap((name) => bindings[name] ?? []);
    this.recorded.push({ kernel: kernel as unknown as KernelSpec, tensors, constants });
  }
}

/** Where the memory of a binding comes from when the routine runs. */
type Source =
  | { readonly from: 'operand'; readonly name: string; readonly bytes: number }
  | { readonly from: 'scratch'; readonly slot: number; readonly bytes: number }
  | { readonly from: 'tensor'; readonly tensor: Tensor; readonly bytes: number };

interface RecordedStep {
  readonly kernel: KernelSpec;
  readonly constants: Constants;
  readonly sources: readonly Source[];
  readonly workgroups: Workgroups;
}

/** A program whose operands are named when it runs: for devices, buffers and encoders of others. */
export class Routine<Name extends string = string> {
  /** What errors and profiles call it. */
  readonly label: string;
  /** The shapes and types of the operands, by name. */
  readonly operands: Readonly<Record<Name, Tensor>>;
  /** Bytes of each buffer that it needs beside its operands while it runs. */
  readonly scratch: readonly number[];
  readonly #gpu: Gpu;
  readonly #steps: readonly RecordedStep[];
  /** Operands that it writes. */
  readonly #written: ReadonlySet<string>;
  #pipelines: readonly GPUComputePipeline[] | undefined;

  /**
   * @param record records operations, and returns the tensors that are handed in when the routine runs: those that it
   *   made with `new Tensor`, and the results that a caller wants
   * @throws what the operations throw; OptionError where two operands are one tensor
   */
  constructor(gpu: Gpu, label: string, record: (b: ProgramBuilder) => Readonly<Record<Name, Tensor>>) {
    const recorder = new Recorder(gpu, label);
    this.operands = record(recorder);
    this.label = label;
    this.#gpu = gpu;
    const names = new Map<Tensor, string>();
    for (const [name, { base }] of Object.entries<Tensor>(this.operands)) {
      const other = names.get(base);
      if (other !== undefined) {
        throw new OptionError('Two operands of a routine are the same tensor.', {
          given: `${other} and ${name}`,
          where: label,
        });
      }
      names.set(base, name);
    }
    const dispatches = recorder.recorded;
    const lives = new Map<Tensor, { first: number; last: number }>();
    dispatches.forEach(({ tensors }, index) => {
      for (const { base } of tensors) {
        if (names.has(base) || base.isPlaced) continue;
        lives.set(base, { first: lives.get(base)?.first ?? index, last: index });
      }
    });
    const transients = [...lives.keys()];
    const plan = planSlots(
      transients.map(
        (tensor): Lifetime => ({ bytes: tensor.byteLength, first: 0, last: 0, ...lives.get(tensor) }),
      ),
    );
    this.scratch = plan.slots;
    this.#steps = dispatches.map(({ kernel, tensors, constants }): RecordedStep => {
      const sources = tensors.map(({ base, byteLength }): Source => {
        const bytes = Math.ceil(byteLength / 4) * 4;
        const name = names.get(base);
        if (name !== undefined) return { from: 'operand', name, bytes };
        const slot = plan.assignment[transients.indexOf(base)];
        return slot === undefined
          ? { from: 'tensor', tensor: base, bytes }
          : { from: 'scratch', slot, bytes };
      });
      return { kernel, constants, sources, workgroups: kernel.workgroups(constants) };
    });
    const written = this.#steps.flatMap(({ kernel, sources }) =>
      Object.values(kernel.bindings).flatMap((access, i) => {
        const source = sources[i];
        return access === 'write' && source?.from === 'operand' ? [source.name] : [];
      }),
    );
    this.#written = new Set(written);
  }

  /** Dispatches that one run takes. */
  get dispatches(): number {
    return this.#steps.length;
  }

  /** Compiles its kernels, in parallel and without holding up the page. @throws GpuValidationError, DeviceLostError */
  async compile(): Promise<this> {
    this.#pipelines ??= await Promise.all(
      this.#steps.map(({ kernel, constants }) => this.#gpu.pipeline(kernel, constants)),
    );
    return this;
  }

  /**
   * Checks the operands, compiles, and makes everything that encoding needs, so that `encode` allocates nothing.
   * @param options.arena memory shared with other routines that run one after another; its own when absent
   * @throws OptionError for an operand that is missing, lies at a bad offset or lacks the usage STORAGE, or for one
   *   buffer in two roles; ShapeError where a buffer is too small; GpuValidationError where WebGPU refuses a buffer:
   *   that of another device, or a destroyed one
   */
  async bind(
    operands: Readonly<Record<Name, Operand>>,
    options: { readonly arena?: Arena } = {},
  ): Promise<BoundRoutine> {
    const placed = this.#place(operands);
    await this.compile();
    const arena = options.arena ?? new Arena(this.#gpu);
    const steps: BoundStep[] = [];
    const tenant: Tenant = {
      slots: this.scratch,
      bind: (buffers) => {
        const bindGroups = this.#bindGroups(placed, buffers);
        return () => {
          this.#steps.forEach(({ workgroups }, i) => {
            const pipeline = this.#pipelines?.[i] as GPUComputePipeline;
            steps[i] = { pipeline, bindGroup: bindGroups[i] as GPUBindGroup, workgroups };
          });
        };
      },
    };
    await arena.admit(this.label, tenant);
    const leave = () => (options.arena === undefined ? arena.dispose() : arena.leave(tenant));
    return new BoundRoutine(this.#gpu, this.label, steps, leave);
  }

  /**
   * For callers that can't wait: writes the dispatches into a pass, with memory that the caller provides. Kernels that
   * aren't compiled yet are compiled on the spot; what is wrong with one is thrown by a later call on this `Gpu`. Their
   * shaders must be here: `compile` has loaded them, of this routine or of any with the same kernels.
   * @param scratch buffers of at least `this.scratch` bytes each, with the usage STORAGE
   * @throws OptionError, ShapeError as `bind`; OptionError where a shader wasn't loaded
   */
  encodeInto(
    pass: GPUComputePassEncoder,
    operands: Readonly<Record<Name, Operand>>,
    scratch: readonly GPUBuffer[],
  ): void {
    const bindGroups = this.#bindGroups(this.#place(operands), scratch);
    const pipelines =
      this.#pipelines ?? this.#steps.map(({ kernel, constants }) => this.#gpu.pipelineNow(kernel, constants));
    for (const [i, { workgroups }] of this.#steps.entries()) {
      pass.setPipeline(pipelines[i] as GPUComputePipeline);
      pass.setBindGroup(0, bindGroups[i]);
      pass.dispatchWorkgroups(...workgroups);
    }
  }

  #place(operands: Readonly<Record<Name, Operand>>): ReadonlyMap<string, GPUBufferBinding> {
    this.#gpu.assertUsable();
    const placed = new Map<string, GPUBufferBinding>();
    for (const [name, tensor] of Object.entries<Tensor>(this.operands)) {
      const operand: Operand | undefined = operands[name as Name];
      const where = `${this.label}: ${name}`;
      if (operand === undefined) {
        throw new OptionError('An operand of a routine is missing.', {
          expected: `a GPUBuffer for ${describe(tensor.shape, tensor.dtype)}`,
          where,
        });
      }
      const { buffer, offset = 0 } = 'buffer' in operand ? operand : { buffer: operand };
      placed.set(name, checkedBinding(this.#gpu, tensor, buffer, offset, where));
    }
    for (const name of this.#written) {
      const twin = [...placed].find(
        ([other, { buffer }]) => other !== name && buffer === placed.get(name)?.buffer,
      );
      if (twin !== undefined) {
        throw new OptionError('An operand that is written shares its buffer with another one.', {
          given: `${name} and ${twin[0]}`,
          expected: 'a buffer of its own: WebGPU forbids to read and write one buffer in one dispatch',
          where: this.label,
        });
      }
    }
    return placed;
  }

  #bindGroups(placed: ReadonlyMap<string, GPUBufferBinding>, scratch: readonly GPUBuffer[]): GPUBindGroup[] {
    const bindingOf = (source: Source): GPUBufferBinding => {
      if (source.from === 'operand') {
        const binding = placed.get(source.name);
        if (binding !== undefined) return { ...binding, size: source.bytes };
      }
      if (source.from === 'tensor') return { ...source.tensor.placement, size: source.bytes };
      const buffer = source.from === 'scratch' ? scratch[source.slot] : undefined;
      if (buffer === undefined) {
        throw new OptionError('A routine was given too little memory to work in.', {
          given: `${scratch.length} buffers`,
          expected: `${this.scratch.length}`,
          where: this.label,
        });
      }
      // Slots come in multiples of 256 bytes, so vectors at the end of a tensor lie inside.
      return { buffer, size: Math.ceil(source.bytes / 16) * 16 };
    };
    return this.#steps.map(({ kernel, sources }) =>
      this.#gpu.bindGroup(kernel, `${this.label} (${kernel.name})`, sources.map(bindingOf)),
    );
  }
}

type BoundStep = Pick<Step, 'pipeline' | 'bindGroup' | 'workgroups'>;

/** A routine on given buffers: encoding it is a few calls a dispatch, and allocates nothing. */
export class BoundRoutine extends Owner {
  /** What errors and profiles call it. */
  readonly label: string;
  readonly #gpu: Gpu;
  readonly #steps: readonly BoundStep[];
  readonly #leave: () => void;
  #disposed = false;

  /** @param leave gives back the memory that it works in */
  constructor(gpu: Gpu, label: string, steps: readonly BoundStep[], leave: () => void) {
    super();
    this.#gpu = gpu;
    this.label = label;
    this.#steps = steps;
    this.#leave = leave;
  }

  /** Writes the dispatches into a pass of a caller's encoder; nothing is submitted. @throws DisposedError */
  encode(encoder: GPUCommandEncoder): void {
    const pass = this.#gpu.pass(encoder, { label: this.label });
    this.encodeInto(pass);
    pass.end();
  }

  /** `encode` into a pass that is open already; it stays open. @throws DisposedError */
  encodeInto(pass: GPUComputePassEncoder): void {
    if (this.#disposed) throw new DisposedError('This routine was disposed.', { where: this.label });
    for (const { pipeline, bindGroup, workgroups } of this.#steps) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...workgroups);
    }
  }

  /**
   * Frees the memory that it works in, unless an arena was handed in; the operands' buffers stay. Encoders that it was
   * written into must have been submitted. @throws DisposedError the second time
   */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This routine was disposed already.', { where: this.label });
    this.#disposed = true;
    this.#leave();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }
}

function checkedBinding(
  gpu: Gpu,
  tensor: Tensor,
  buffer: GPUBuffer,
  offset: number,
  where: string,
): GPUBufferBinding {
  const bytes = Math.ceil(tensor.byteLength / 4) * 4;
  if ((buffer.usage & BUFFER_USAGE.STORAGE) === 0) {
    throw new OptionError("A buffer lacks a usage flag: kernels can't use it.", {
      given: `usage ${buffer.usage}`,
      expected: 'GPUBufferUsage.STORAGE among them',
      where,
      remedy: 'make the buffer with usage: GPUBufferUsage.STORAGE | ...',
    });
  }
  const alignment = gpu.limits.minStorageBufferOffsetAlignment;
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new OptionError("An operand can't start at this offset.", {
      given: `${offset} bytes`,
      expected: `a multiple of ${alignment} bytes (the device's minStorageBufferOffsetAlignment)`,
      where,
    });
  }
  if (buffer.size < offset + bytes) {
    throw new ShapeError('The buffer is smaller than the operand that is to lie in it.', {
      given: `${buffer.size} bytes, offset ${offset}`,
      expected: `${bytes} bytes for ${describe(tensor.shape, tensor.dtype)}`,
      where,
    });
  }
  return { buffer, offset };
}
