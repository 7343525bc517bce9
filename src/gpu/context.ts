/**
 * The GPU as the rest of the library sees it: an adapter and a device, acquired or handed in; tracked buffers; a cache
 * of pipelines; and errors that surface as typed exceptions of the call that caused them.
 */

import { Owner } from '../dispose.ts';
import {
  BnnError,
  DeviceLostError,
  DisposedError,
  GpuValidationError,
  NoAdapterError,
  OptionError,
  OutOfMemoryError,
  ShapeError,
  WebGpuUnavailableError,
} from '../errors.ts';
import { assertKnownOptions, namesOf } from '../options.ts';
import { Choices, storageOf } from './choices.ts';
import { type HostData, hostDataFor } from './host-data.ts';
import { type Constants, type KernelSpec, loadShader, shaderOf } from './kernel.ts';
import { MemoryLedger } from './memory.ts';
import { Pace } from './pace.ts';
import { type DType, describe, type Placement, type Shape, Tensor } from './tensor.ts';

/** What is known of an adapter. */
export interface AdapterSummary {
  /** A name for people, made of the rest; words that say so where a browser hides all of it, as Firefox does. */
  readonly name: string;
  /** `GPUAdapterInfo.vendor`; empty where the browser hides it. */
  readonly vendor: string;
  /** `GPUAdapterInfo.architecture`; empty where the browser hides it. */
  readonly architecture: string;
  /** `GPUAdapterInfo.device`; empty where the browser hides it. */
  readonly device: string;
  /** `GPUAdapterInfo.description`; empty where the browser hides it. */
  readonly description: string;
  /** True when there is no GPU behind it: numbers from it say nothing about hardware. */
  readonly software: boolean;
  /** Invocations of the smallest subgroups; absent where there are no subgroups. */
  readonly lanes?: number;
  /**
   * What subgroups multiply on matrix units: types, M x N x K and invocations, as `i8 16x16x32 i32 by 32`. Where subgroups are
   * of several sizes, there is one for each that can be asked for.
   */
  readonly matrices?: readonly string[];
}

/** What Chromium adds to what is known of an adapter. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: readonly (Readonly<
    Record<'componentType' | 'resultComponentType', string>
  > &
    Readonly<Record<'M' | 'N' | 'K', number>>)[];
}

/** Which adapter to ask for. */
export interface RequestOptions {
  /** The entry point to WebGPU; `navigator.gpu` when absent. */
  readonly gpu?: GPU;
  /** Which of two adapters to prefer. Default `high-performance`. */
  readonly powerPreference?: GPUPowerPreference;
  /** Refuse software adapters. */
  readonly requireHardware?: boolean;
  /** How this host waits for a software adapter; by awaiting it when absent. It settles as its argument does. */
  readonly waitForSoftware?: <T>(work: Promise<T>) => Promise<T>;
}

const REQUEST = namesOf<RequestOptions>({
  gpu: true,
  powerPreference: true,
  requireHardware: true,
  waitForSoftware: true,
});

/** Element types as JavaScript sees them after a readback. */
export interface HostArrays {
  /** Reals. */
  f32: Float32Array<ArrayBuffer>;
  /** Signed integers. */
  i32: Int32Array<ArrayBuffer>;
  /** Unsigned integers. */
  u32: Uint32Array<ArrayBuffer>;
  /** Half floats, as their 16 bits. */
  f16: Uint16Array<ArrayBuffer>;
  /** Bytes. */
  u8: Uint8Array<ArrayBuffer>;
  /** Signs, 32 to a word along the last axis. */
  bits: Uint32Array<ArrayBuffer>;
}

/** Optional features that are used where an adapter has them. */
const WANTED_FEATURES: readonly string[] = [
  'timestamp-query',
  'shader-f16',
  'subgroups',
  'subgroup-size-control',
  'chromium-experimental-subgroup-matrix',
];

/** The feature by which a shader asks for the size of its subgroups. */
const SIZE_CONTROL = 'subgroup-size-control';

/** Limits raised to what the adapter offers; everything else stays at WebGPU's default. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxStorageBuffersPerShaderStage',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Buffers are made in multiples of this, so that a `vec4` view reaches the last element. */
const BUFFER_GRANULE = 16;

/**
 * A device with its tensors, compiled kernels and ledger of memory: what everything here runs on. Who
 * disposes it frees all of them.
 */
export class Gpu extends Owner {
  /** The WebGPU device that everything runs on. */
  readonly device: GPUDevice;
  /** What the adapter says of itself. */
  readonly adapter: AdapterSummary;
  /** Names the adapter where choices are kept: what it says of itself, or what it can do where a browser hides that. */
  readonly adapterKey: string;
  /** Bytes and buffers that are allocated now, and their peak. */
  readonly memory = new MemoryLedger();
  /** Which of several kernels runs for which extents, where that was measured or pinned. */
  readonly choices = new Choices();
  /** How much of a program goes into one submit. */
  readonly pace: Pace;
  /** Features of WGSL beyond the first edition that this implementation knows. */
  readonly languageFeatures: ReadonlySet<string>;
  /** Resolves when the device is lost, for whatever reason; never rejects. */
  readonly lost: Promise<DeviceLostError>;
  readonly #owned: boolean;
  readonly #wait: <T>(work: Promise<T>) => Promise<T>;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  /** Pipelines that were made without waiting. */
  readonly #pipelinesNow = new Map<string, GPUComputePipeline>();
  /** By their text, since two kernels may have one name. */
  readonly #modules = new Map<string, GPUShaderModule>();
  /** A number for each text that pipelines were made of. */
  readonly #texts = new Map<string, number>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #onFault = (event: GPUUncapturedErrorEvent): void => {
    const where = this.#owned
      ? 'an earlier GPU call'
      : "an earlier call on this shared device, perhaps not this library's";
    this.#fault ??= typedError(event.error, where);
  };
  #loss: DeviceLostError | undefined;
  #fault: BnnError | undefined;
  /** Whether what runs now is heard by error scopes of this library's. */
  #inScope = false;
  #disposed = false;
  /** Submits and readbacks so far: what "no readback in a training step" is measured with. */
  readonly counters = { submits: 0, readbacks: 0, pipelines: 0 };

  private constructor(
    device: GPUDevice,
    adapter: AdapterSummary,
    capabilities: Capabilities,
    owned: boolean,
    entry: GPU | undefined,
    wait: RequestOptions['waitForSoftware'],
  ) {
    super();
    this.#wait = wait ?? ((work) => work);
    this.device = device;
    this.adapter = adapter;
    this.adapterKey = keyOf(adapter, capabilities);
    this.pace = new Pace(adapter.software);
    this.languageFeatures = entry?.wgslLanguageFeatures ?? new Set();
    this.#owned = owned;
    this.lost = device.lost.then((info) => {
      const error = new DeviceLostError('The GPU device was lost.', {
        given: `${info.reason || 'unknown'}: ${info.message || 'no message'}`,
        remedy: 'acquire a new device and restore the last checkpoint (on the command line: --resume)',
      });
      this.#loss = error;
      return error;
    });
    // Faults outside any scope must not go unnoticed: the next call throws them.
    device.addEventListener('uncapturederror', this.#onFault);
  }

  /**
   * Acquires an adapter and a device with every wanted feature and limit that the adapter has.
   * @throws WebGpuUnavailableError where there is no WebGPU, NoAdapterError where it has no (suitable) adapter
   */
  static async request(options: RequestOptions = {}): Promise<Gpu> {
    assertKnownOptions(options, REQUEST, 'Gpu.request');
    const entry = options.gpu ?? globalThis.navigator?.gpu;
    if (entry === undefined) {
      throw new WebGpuUnavailableError('WebGPU is not available here.', {
        expected: 'navigator.gpu, or a GPU object in options.gpu',
        remedy:
          'in a browser: use Chrome, Edge, Safari 26 or Firefox 141 or newer, over https or localhost; in Node: import from "webgpu-bnn/node"',
      });
    }
    const adapter = await entry.requestAdapter({
      powerPreference: options.powerPreference ?? 'high-performance',
    });
    if (adapter === null) {
      throw new NoAdapterError('WebGPU is here, but it offers no adapter.', {
        remedy:
          'update the graphics driver; in Chrome look at chrome://gpu, or start it with --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader for a software adapter',
      });
    }
    const summary = summarize(adapter.info, adapter.features);
    if (options.requireHardware && summary.software) {
      throw new NoAdapterError('Only a software adapter was found, and hardware was asked for.', {
        given: summary.description || summary.device,
        remedy: 'install the driver of your GPU, or leave requireHardware away',
      });
    }
    const requiredLimits: Record<string, number> = {};
    for (const name of WANTED_LIMITS) requiredLimits[name] = adapter.limits[name];
    const requiredFeatures = WANTED_FEATURES.filter((name) => adapter.features.has(name));
    const device = await adapter.requestDevice({
      label: 'webgpu-bnn',
      requiredFeatures: requiredFeatures as GPUFeatureName[],
      requiredLimits,
    });
    const wait = summary.software ? options.waitForSoftware : undefined;
    const gpu = new Gpu(device, summary, adapter, true, entry, wait);
    // In a browser; other hosts say where choices are kept.
    if (options.gpu === undefined && 'localStorage' in globalThis) {
      gpu.choices.keepIn(
        storageOf(() => globalThis.localStorage),
        gpu.adapterKey,
      );
    }
    return gpu;
  }

  /**
   * Uses a device that belongs to the caller. It is never destroyed here, and needs no feature or limit beyond
   * WebGPU's defaults.
   */
  static fromDevice(device: GPUDevice): Gpu {
    const info: GPUAdapterInfo | undefined = device.adapterInfo;
    return new Gpu(
      device,
      summarize(info, device.features),
      device,
      false,
      globalThis.navigator?.gpu,
      undefined,
    );
  }

  /** Optional WebGPU features that the device was made with. */
  get features(): ReadonlySet<string> {
    return this.device.features;
  }

  /** Limits that the device was made with. */
  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DeviceLostError, DisposedError, or the fault of an earlier call that nobody awaited */
  assertUsable(): void {
    this.#assertThere();
    // In scopes of its own, a call hears of its own faults; those of others on a shared device are none of its business.
    if (this.#fault !== undefined && (this.#owned || !this.#inScope)) {
      const fault = this.#fault;
      this.#fault = undefined;
      throw fault;
    }
  }

  /** @throws DisposedError, DeviceLostError */
  #assertThere(): void {
    // Disposing destroys the device, which counts as a loss too.
    if (this.#disposed) throw new DisposedError('This Gpu was disposed.', { where: 'Gpu' });
    if (this.#loss !== undefined) throw this.#loss;
  }

  /**
   * Runs `body` and waits for what WebGPU says of it: validation and out-of-memory errors become typed exceptions that
   * name `where`. The body is synchronous, since error scopes are a stack that the whole device shares.
   */
  async scoped<T>(where: string, body: () => T): Promise<T> {
    if (this.#owned) this.assertUsable();
    else this.#assertThere();
    const { result, verdict } = this.#inScopes(where, body);
    await verdict;
    if (this.#loss !== undefined) throw this.#loss;
    return result;
  }

  /**
   * Runs `body` in error scopes of its own. @returns its result, and a promise that rejects with what the scopes caught; a
   * scope that can't be asked counts as one that caught something
   */
  #inScopes<T>(where: string, body: () => T): { result: T; verdict: Promise<void> } {
    const { device } = this;
    const verdicts: Promise<GPUError | null>[] = [];
    let open = 0;
    let result: T;
    const outer = this.#inScope;
    try {
      for (const filter of ['internal', 'validation', 'out-of-memory'] as const) {
        this.#made('open an error scope', where, () => [device.pushErrorScope(filter)]);
        open += 1;
      }
      this.#inScope = true;
      result = body();
    } finally {
      this.#inScope = outer;
      // An async function, so that what is thrown at once is a rejection too.
      for (; open > 0; open--) verdicts.push((async () => device.popErrorScope())());
      for (const one of verdicts) one.catch(() => undefined);
    }
    const verdict = this.orLost(Promise.all(verdicts), where).then((errors) => {
      for (const error of errors) if (error !== null) throw typedError(error, where);
    });
    verdict.catch(() => undefined);
    return { result, verdict };
  }

  /** What a call of the device gives. @throws DeviceLostError, GpuValidationError where it throws, or gives nothing */
  #made<T>(what: string, where: string, call: () => T | null | undefined): T {
    let cause: unknown;
    try {
      const made = call();
      if (made !== null && made !== undefined) return made;
    } catch (reason) {
      cause = reason;
    }
    throw this.#loss ?? refusal(`The device refused to ${what}.`, where, cause);
  }

  /** A tracked buffer; the caller destroys it through the returned `release`. Errors go to the scope around. */
  createBuffer(
    label: string,
    bytes: number,
    usage: GPUBufferUsageFlags,
  ): { buffer: GPUBuffer; release: () => void } {
    this.assertUsable();
    const size = Math.max(BUFFER_GRANULE, Math.ceil(bytes / BUFFER_GRANULE) * BUFFER_GRANULE);
    if (size > this.limits.maxBufferSize) {
      throw new OutOfMemoryError('A buffer is larger than this device allows.', {
        given: `${size} bytes`,
        expected: `${this.limits.maxBufferSize} bytes at most`,
        where: label,
        remedy: 'use a smaller batch or a smaller model',
      });
    }
    const buffer = this.#made('make a buffer', label, () => this.device.createBuffer({ label, size, usage }));
    this.memory.enter(size);
    let released = false;
    return {
      buffer,
      release: () => {
        if (released) return;
        released = true;
        this.memory.strike(size);
        buffer.destroy();
      },
    };
  }

  /** Bytes that `createBuffer` takes for a tensor of this size. */
  static allocatedBytes(bytes: number): number {
    return Math.max(BUFFER_GRANULE, Math.ceil(bytes / BUFFER_GRANULE) * BUFFER_GRANULE);
  }

  /**
   * A tensor with memory of its own, filled with `data` or zeros. The caller disposes it. A fault of the allocation
   * (out of memory) surfaces at the next awaited call; use `scoped` around it to catch it there.
   * @param data as many elements as the shape has, of its type (see `write`)
   */
  tensor(label: string, shape: Shape, dtype: DType, data?: HostData): Tensor {
    return this.allocate(new Tensor(label, shape, dtype), data);
  }

  /** Gives a declared tensor memory of its own, filled with `data` or zeros. See `tensor`. */
  allocate(tensor: Tensor, data?: HostData): Tensor {
    const { label, byteLength, shape, dtype } = tensor;
    const bytes = data === undefined ? undefined : hostDataFor(tensor, data);
    if (bytes !== undefined && bytes.byteLength !== byteLength) {
      throw new ShapeError("The data doesn't fill the tensor.", {
        given: `${bytes.byteLength} bytes`,
        expected: `${byteLength} bytes for ${describe(shape, dtype)}`,
        where: label,
      });
    }
    const { STORAGE, COPY_SRC, COPY_DST } = BUFFER_USAGE;
    const { buffer, release } = this.createBuffer(label, byteLength, STORAGE | COPY_SRC | COPY_DST);
    tensor.place({ buffer, offset: 0 }, release);
    try {
      if (bytes !== undefined) this.writeBytes(tensor, bytes);
    } catch (cause) {
      tensor.dispose();
      throw cause;
    }
    return tensor;
  }

  /**
   * Copies `data` into a tensor, from its start; queued, in order with submits. What follows `data` in the tensor stays.
   * @param data elements of the tensor's type: `Float32Array` for f32 (`Float64Array` and arrays of numbers are rounded to
   *   it), `Int32Array` for i32, `Uint32Array` for u32 and for the packed words of bits, `Uint8Array` for u8
   * @throws ShapeError for another element type, for more than the tensor holds, and for bytes that end inside a word which
   *   holds more than them
   */
  write(tensor: Tensor, data: HostData): void {
    this.writeBytes(tensor, hostDataFor(tensor, data));
  }

  /**
   * `write` of memory as it is, whatever its element type: what `readBytes` gave, or a file holds.
   * @throws ShapeError as `write`
   */
  writeBytes(tensor: Tensor, bytes: Uint8Array<ArrayBuffer>): void {
    this.assertUsable();
    const { buffer, offset } = tensor.placement;
    const { label, shape, dtype, byteLength } = tensor;
    if (bytes.byteLength > byteLength) {
      throw new ShapeError('The data is larger than the tensor.', {
        given: `${bytes.byteLength} bytes`,
        expected: `${byteLength} bytes at most, for ${describe(shape, dtype)}`,
        where: label,
      });
    }
    const whole = bytes.byteLength & ~3;
    const rest = bytes.byteLength - whole;
    if (rest > 0 && (tensor.isView || bytes.byteLength < byteLength)) {
      throw new ShapeError(
        'These bytes end inside a word: to write them would change the bytes after them.',
        {
          given: `${bytes.byteLength} bytes`,
          expected: 'a multiple of 4 bytes',
          where: label,
          remedy: 'write up to the end of a word, with the bytes that are to stand there',
        },
      );
    }
    if (whole > 0) this.writeBuffer(label, buffer, offset, bytes.subarray(0, whole));
    if (rest > 0) {
      // The tensor's own padding.
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(whole));
      this.writeBuffer(label, buffer, offset + whole, tail);
    }
  }

  /** Copies bytes, a multiple of 4, into a buffer; queued, in order with submits. */
  writeBuffer(where: string, buffer: GPUBuffer, offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.assertUsable();
    this.#made('write to a buffer', where, () => [this.device.queue.writeBuffer(buffer, offset, bytes)]);
  }

  /** Waits for the queue and copies a tensor to the host. */
  async read<D extends DType>(tensor: Tensor & { readonly dtype: D }): Promise<HostArrays[D]>;
  async read(tensor: Tensor): Promise<HostArrays[DType]>;
  async read(tensor: Tensor): Promise<HostArrays[DType]> {
    const bytes = await this.readBytes(tensor);
    switch (tensor.dtype) {
      case 'f32':
        return new Float32Array(bytes);
      case 'i32':
        return new Int32Array(bytes);
      case 'f16':
        return new Uint16Array(bytes);
      case 'u8':
        return new Uint8Array(bytes);
      default:
        return new Uint32Array(bytes);
    }
  }

  /** `read` for tensors known to hold floats. @throws ShapeError for another element type */
  async readFloats(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
    const values = await this.read(tensor);
    if (values instanceof Float32Array) return values;
    throw new ShapeError('Floats were asked of a tensor that holds none.', {
      given: tensor.dtype,
      expected: 'f32',
      where: tensor.label,
    });
  }

  /** `read` for tensors known to hold `u32` or `bits`. @throws ShapeError for another element type */
  async readWords(tensor: Tensor): Promise<Uint32Array<ArrayBuffer>> {
    const values = await this.read(tensor);
    if (values instanceof Uint32Array) return values;
    throw new ShapeError('Words were asked of a tensor that holds none.', {
      given: tensor.dtype,
      expected: 'u32 or bits',
      where: tensor.label,
    });
  }

  /** Waits for the queue and copies a tensor to the host as it lies in memory, padded to 4 bytes. @throws DeviceLostError */
  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const bytes = Math.ceil(tensor.byteLength / 4) * 4;
    const where = `reading ${tensor.label}`;
    let release = () => {};
    try {
      const mapped = await this.scoped(where, () => {
        const { placement } = tensor;
        const made = this.createBuffer(where, bytes, BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST);
        release = made.release;
        const encoder = this.encoder(where);
        this.copy(encoder, placement, { buffer: made.buffer, offset: 0 }, bytes);
        this.submit(encoder);
        // In an object, since what is given back by itself would be awaited here.
        return { memory: this.map(where, made.buffer, bytes) };
      });
      return (await mapped.memory).slice(0, tensor.byteLength);
    } finally {
      release();
    }
  }

  /**
   * Maps a buffer that was made for it, to be read once the GPU has done what was submitted before. Nothing is reported as
   * unhandled if nobody awaits it.
   * @returns its first `bytes`, or all; they are gone when the buffer is unmapped
   * @throws DeviceLostError, GpuValidationError
   */
  map(where: string, buffer: GPUBuffer, bytes?: number): Promise<ArrayBuffer> {
    const mapped = this.orLost(
      this.#made('map a buffer', where, () => buffer.mapAsync(MAP_READ)),
      where,
    ).then(() => {
      this.counters.readbacks += 1;
      return this.#made('hand out a mapped buffer', where, () => buffer.getMappedRange(0, bytes));
    });
    mapped.catch(() => undefined);
    return mapped;
  }

  /** A command encoder. */
  encoder(label: string): GPUCommandEncoder {
    this.assertUsable();
    return this.#made('make a command encoder', label, () => this.device.createCommandEncoder({ label }));
  }

  /** A compute pass of an encoder. */
  pass(encoder: GPUCommandEncoder, descriptor: GPUComputePassDescriptor = {}): GPUComputePassEncoder {
    return this.#made('begin a compute pass', encoder.label, () => encoder.beginComputePass(descriptor));
  }

  /** Encodes a copy of `bytes`, a multiple of 4. */
  copy(encoder: GPUCommandEncoder, from: Placement, to: Placement, bytes: number): void {
    this.#made('copy between buffers', encoder.label, () => [
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, bytes),
    ]);
  }

  /** A set of timestamps; the caller destroys it. */
  timestamps(label: string, count: number): GPUQuerySet {
    this.assertUsable();
    return this.#made('make timestamps', label, () =>
      this.device.createQuerySet({ label, type: 'timestamp', count }),
    );
  }

  /** Finishes an encoder and submits it. @throws DeviceLostError, DisposedError */
  submit(encoder: GPUCommandEncoder): void {
    this.assertUsable();
    this.#made('take a submit', encoder.label, () => [this.device.queue.submit([encoder.finish()])]);
    this.counters.submits += 1;
  }

  /** Waits until the GPU has done everything submitted so far. @throws DeviceLostError */
  async finished(): Promise<void> {
    this.assertUsable();
    await this.orLost(
      this.#made('wait for its work', 'finished', () => this.device.queue.onSubmittedWorkDone()),
      'waiting for the GPU',
    );
    this.assertUsable();
  }

  /**
   * The pipeline of a kernel with these constants, compiled once.
   * @throws GpuValidationError naming the kernel; DataUnavailableError where its shader can't be loaded
   */
  async pipeline(kernel: KernelSpec, constants: Constants): Promise<GPUComputePipeline> {
    if (this.#owned) this.assertUsable();
    else this.#assertThere();
    const code = this.#asking(kernel, await loadShader(kernel));
    const key = this.#pipelineKey(kernel, code, constants);
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      this.counters.pipelines += 1;
      pipeline = this.#compile(kernel, code, constants);
      this.#pipelines.set(key, pipeline);
      pipeline.catch(() => this.#pipelines.delete(key));
    }
    return pipeline;
  }

  /**
   * The pipeline of a kernel for callers that can't wait; its shader must be here. What is wrong with it is thrown by a later
   * call, and it is compiled anew the next time.
   * @throws OptionError where its shader wasn't loaded
   */
  pipelineNow(kernel: KernelSpec, constants: Constants): GPUComputePipeline {
    this.assertUsable();
    const text = shaderOf(kernel);
    if (text === undefined) {
      throw new OptionError("A pipeline can't be made before the shader of its kernel is loaded.", {
        where: kernel.name,
        remedy: 'await routine.compile() first',
      });
    }
    const code = this.#asking(kernel, text);
    const key = this.#pipelineKey(kernel, code, constants);
    const known = this.#pipelinesNow.get(key);
    if (known !== undefined) return known;
    this.counters.pipelines += 1;
    const where = pipelineLabel(kernel, constants);
    const { result: pipeline, verdict } = this.#inScopes(where, () =>
      this.#made('make a pipeline', where, () =>
        this.device.createComputePipeline(this.#pipelineOf(kernel, constants, this.#module(kernel, code))),
      ),
    );
    this.#pipelinesNow.set(key, pipeline);
    verdict.catch((error: BnnError) => {
      this.#pipelinesNow.delete(key);
      this.#modules.delete(code);
      this.#fault ??= error;
    });
    return pipeline;
  }

  /** A bind group of a kernel: buffers in the order of its bindings. */
  bindGroup(kernel: KernelSpec, label: string, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    this.assertUsable();
    const layout = this.#bindGroupLayout(kernel);
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    return this.#made('make a bind group', label, () =>
      this.device.createBindGroup({ label, layout, entries }),
    );
  }

  /** The bind group layout of a kernel; shared by all kernels with the same bindings. */
  #bindGroupLayout(kernel: KernelSpec): GPUBindGroupLayout {
    const accesses = Object.values(kernel.bindings);
    const key = accesses.join();
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      layout = this.#made('make a bind group layout', kernel.name, () =>
        this.device.createBindGroupLayout({
          label: key,
          entries: accesses.map((access, binding) => ({
            binding,
            visibility: COMPUTE_STAGE,
            buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
          })),
        }),
      );
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /** Destroys the device if it was acquired here. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This Gpu was disposed already.', { where: 'Gpu' });
    this.#disposed = true;
    this.device.removeEventListener('uncapturederror', this.#onFault);
    this.#pipelines.clear();
    this.#pipelinesNow.clear();
    this.#modules.clear();
    this.#texts.clear();
    this.#layouts.clear();
    if (this.#owned) this.device.destroy();
  }

  async #compile(kernel: KernelSpec, code: string, constants: Constants): Promise<GPUComputePipeline> {
    this.assertUsable();
    const where = pipelineLabel(kernel, constants);
    let module: GPUShaderModule | undefined;
    try {
      const { result, verdict } = this.#inScopes(where, () => {
        module = this.#module(kernel, code);
        const descriptor = this.#pipelineOf(kernel, constants, module);
        const made = this.#made('make a pipeline', where, () =>
          this.device.createComputePipelineAsync(descriptor),
        );
        made.catch(() => undefined);
        return { made };
      });
      const pipeline = await this.orLost(result.made, where);
      await verdict;
      return this.#made('make a pipeline', where, () => pipeline);
    } catch (cause) {
      // What failed once may have been the device's fault: the module is made anew the next time.
      if (module === undefined || this.#modules.get(code) === module) this.#modules.delete(code);
      if (cause instanceof BnnError && !(cause instanceof GpuValidationError)) throw cause;
      const info = await module?.getCompilationInfo().catch(() => undefined);
      const first = info?.messages.find((message) => message.type === 'error');
      const own = first && kernel.filled?.methodAt(code, first.lineNum);
      throw new GpuValidationError(`The kernel ${kernel.name} doesn't compile on this device.`, {
        given: first ? `line ${own?.line ?? first.lineNum}: ${first.message}` : saidBy(cause),
        where: own === undefined ? where : `the WGSL of ${own.name}, in ${where}`,
        cause,
      });
    }
  }

  /** The text of a kernel that runs in subgroups of one size only, asking for them where this device lets it. */
  #asking({ subgroup }: KernelSpec, code: string): string {
    if (subgroup === undefined || !this.features.has(SIZE_CONTROL)) return code;
    const asking = code.replace('@compute', () => `@compute @subgroup_size(${subgroup})`);
    return `enable subgroup_size_control; ${asking}`; // on the first line, so that the others keep their numbers
  }

  #module(kernel: KernelSpec, code: string): GPUShaderModule {
    const known = this.#modules.get(code);
    if (known !== undefined) return known;
    const { name: label } = kernel;
    const module = this.#made('make a shader module', label, () =>
      this.device.createShaderModule({ label, code }),
    );
    this.#modules.set(code, module);
    return module;
  }

  #pipelineOf(
    kernel: KernelSpec,
    constants: Constants,
    module: GPUShaderModule,
  ): GPUComputePipelineDescriptor {
    const label = pipelineLabel(kernel, constants);
    const bindGroupLayouts = [this.#bindGroupLayout(kernel)];
    const layout = this.#made('make a pipeline layout', label, () =>
      this.device.createPipelineLayout({ label, bindGroupLayouts }),
    );
    const values = { ...kernel.fixed, ...constants };
    return { label, layout, compute: { module, entryPoint: 'main', constants: values } };
  }

  /** Kernels are told apart by their text, their bindings and their constants. */
  #pipelineKey({ bindings, fixed }: KernelSpec, code: string, constants: Constants): string {
    const number = this.#texts.get(code) ?? this.#texts.size;
    this.#texts.set(code, number);
    const values = Object.entries({ ...fixed, ...constants }).sort(([a], [b]) => (a < b ? -1 : 1));
    return [number, Object.values(bindings), values].join(';');
  }

  /**
   * Waits for the GPU as suits this host. Settles as `work` does; where it fails because the device is gone, with that loss,
   * and else with a typed error.
   * @param where names the work in that error
   * @throws DeviceLostError, GpuValidationError
   */
  async orLost<T>(work: Promise<T>, where = 'waiting for the GPU'): Promise<T> {
    try {
      return await this.#wait(work);
    } catch (cause) {
      // A rejection that the loss caused can arrive before `lost` settles: give it one turn.
      const loss = await Promise.race([
        this.lost,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 50)),
      ]);
      if (loss !== undefined) throw loss;
      throw cause instanceof BnnError
        ? cause
        : refusal('The device failed to do what was asked.', where, cause);
    }
  }
}

/** A kernel and its constants, for people. */
function pipelineLabel(kernel: KernelSpec, constants: Constants): string {
  const names = 'FIRST_ROW' in constants ? [...kernel.constants, 'FIRST_ROW'] : kernel.constants;
  const values = names.map((name) => `${name}=${constants[name]}`);
  return `${kernel.name}(${values.join(',')})`;
}

function refusal(what: string, where: string, cause: unknown): GpuValidationError {
  return new GpuValidationError(what, {
    given: saidBy(cause),
    where,
    remedy:
      'try again; if it fails again, update the browser or the graphics driver, and report the kernel or tensor',
    cause,
  });
}

function saidBy(cause: unknown): string {
  if (cause instanceof BnnError) return cause.given ?? cause.what;
  return cause === undefined ? 'it gave nothing' : String(cause);
}

/** WebGPU's constants, by value: the globals that hold them are missing in Node. */
export const BUFFER_USAGE = {
  MAP_READ: 1,
  COPY_SRC: 4,
  COPY_DST: 8,
  UNIFORM: 64,
  STORAGE: 128,
  QUERY_RESOLVE: 512,
};
const MAP_READ = 1;
const COMPUTE_STAGE = 4;

/** What adapters and devices say that they can do. */
type Capabilities = Pick<GPUAdapter, 'features' | 'limits'>;

/** Two GPUs that a browser hides are told apart by what they can do, as far as that differs. */
function keyOf(
  { vendor, architecture, device, description }: AdapterSummary,
  { features, limits }: Capabilities,
): string {
  const said = [vendor, architecture, device, description];
  if (said.some(Boolean)) return said.join(' / ');
  const numbers: string[] = [];
  // Limits are properties of a prototype.
  for (const name in limits) {
    const limit = limits[name as keyof GPUSupportedLimits];
    if (typeof limit === 'number') numbers.push(`${name}=${limit}`);
  }
  return ['unnamed', ...[...features].sort(), ...numbers.sort()].join(' ');
}

/** The sizes of subgroups that a kernel can count on: the only one there is, or those that it can ask for. */
function sizesOf(
  { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 }: Partial<GPUAdapterInfo>,
  features: ReadonlySet<string>,
): readonly number[] {
  if (least < most && !features.has(SIZE_CONTROL)) return [];
  const sizes: number[] = [];
  for (let size = least; size > 0 && size <= most; size *= 2) sizes.push(size);
  return sizes;
}

function summarize(
  info: Partial<GPUAdapterInfo & MatrixInfo> = {},
  features: ReadonlySet<string> = new Set(),
): AdapterSummary {
  const { vendor = '', architecture = '', device = '', description = '' } = info;
  const lanes = info.subgroupMinSize;
  const sizes = sizesOf(info, features);
  const matrices = sizes.length > 0 ? info.subgroupMatrixConfigs : undefined;
  const text = `${architecture} ${device} ${description}`.toLowerCase();
  const named = description || device || [vendor, architecture].filter(Boolean).join(' ');
  return {
    name: named || "a GPU that the browser doesn't name",
    vendor,
    architecture,
    device,
    description,
    software: info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|warp|basic render/.test(text),
    ...(lanes && { lanes }),
    ...(matrices && {
      matrices: matrices.flatMap(({ componentType, M, N, K, resultComponentType }) =>
        sizes.map((size) => `${componentType} ${M}x${N}x${K} ${resultComponentType} by ${size}`),
      ),
    }),
  };
}

function typedError(error: GPUError, where: string): BnnError {
  if ('GPUOutOfMemoryError' in globalThis && error instanceof GPUOutOfMemoryError)
    return memoryError(error, where);
  // Dawn for Node doesn't put its error classes on globalThis by itself.
  if (error.constructor.name === 'GPUOutOfMemoryError') return memoryError(error, where);
  return new GpuValidationError('WebGPU rejected a call.', { given: error.message, where });
}

function memoryError(error: GPUError, where: string): OutOfMemoryError {
  return new OutOfMemoryError('The GPU is out of memory.', {
    given: error.message,
    where,
    remedy: 'use a smaller batch, or free other tensors first',
  });
}
