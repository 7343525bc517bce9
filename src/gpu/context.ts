/**
 * The GPU as the rest of the library sees it: an adapter and a device, acquired or handed in; tracked buffers; a cache
 * of pipelines; and errors that surface as typed exceptions of the call that caused them.
 */
import {
  BnnError,
  DeviceLostError,
  DisposedError,
  GpuValidationError,
  NoAdapterError,
  OutOfMemoryError,
  ShapeError,
  WebGpuUnavailableError,
} from '../errors.ts';
import { Choices, storageOf } from './choices.ts';
import { methodAt } from './frame.ts';
import { type Constants, type KernelSpec, loadShader } from './kernel.ts';
import { MemoryLedger } from './memory.ts';
import { Pace } from './pace.ts';
import { type DType, describe, type Shape, Tensor } from './tensor.ts';

export interface AdapterSummary {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True when there is no GPU behind it: numbers from it say nothing about hardware. */
  readonly software: boolean;
  /** Invocations of the smallest subgroups; absent where there are no subgroups. */
  readonly lanes?: number;
  /** What subgroups of one size multiply on matrix units: types, M x N x K and invocations, as `i8 16x16x32 i32 by 32`. */
  readonly matrices?: readonly string[];
}

/** What Chromium adds to what is known of an adapter. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: readonly (Readonly<
    Record<'componentType' | 'resultComponentType', string>
  > &
    Readonly<Record<'M' | 'N' | 'K', number>>)[];
}

export interface RequestOptions {
  /** The entry point to WebGPU; `navigator.gpu` when absent. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Refuse software adapters. */
  readonly requireHardware?: boolean;
  /** How this host waits for a software adapter; by awaiting it when absent. It settles as its argument does. */
  readonly waitForSoftware?: <T>(work: Promise<T>) => Promise<T>;
}

/** Element types as JavaScript sees them after a readback. */
export interface HostArrays {
  f32: Float32Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  u8: Uint8Array<ArrayBuffer>;
  bits: Uint32Array<ArrayBuffer>;
}

/** Optional features that are used where an adapter has them. */
const WANTED_FEATURES: readonly string[] = [
  'timestamp-query',
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
];

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

export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterSummary;
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
  readonly #modules = new Map<string, GPUShaderModule>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #onFault = (event: GPUUncapturedErrorEvent): void => {
    const where = this.#owned
      ? 'an earlier GPU call'
      : "an earlier call on this shared device, perhaps not this library's";
    this.#fault ??= typedError(event.error, where);
  };
  #loss: DeviceLostError | undefined;
  #fault: BnnError | undefined;
  #disposed = false;
  /** Submits and readbacks so far: what "no readback in a training step" is measured with. */
  readonly counters = { submits: 0, readbacks: 0, pipelines: 0 };

  private constructor(
    device: GPUDevice,
    adapter: AdapterSummary,
    owned: boolean,
    entry: GPU | undefined,
    wait: RequestOptions['waitForSoftware'],
  ) {
    this.#wait = wait ?? ((work) => work);
    this.device = device;
    this.adapter = adapter;
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
    const summary = summarize(adapter.info);
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
    const gpu = new Gpu(device, summary, true, entry, wait);
    // In a browser; other hosts say where choices are kept.
    if (options.gpu === undefined && 'localStorage' in globalThis) {
      gpu.choices.keepIn(
        storageOf(() => globalThis.localStorage),
        adapterKey(summary),
      );
    }
    return gpu;
  }

  /**
   * Uses a device that belongs to the caller. It is never destroyed here, and needs no feature or limit beyond
   * WebGPU's defaults.
   */
  static fromDevice(device: GPUDevice): Gpu {
    return new Gpu(device, summarize(device.adapterInfo), false, globalThis.navigator?.gpu, undefined);
  }

  get features(): ReadonlySet<string> {
    return this.device.features;
  }

  get limits(): GPUSupportedLimits {
    return this.device.limits;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** @throws DeviceLostError, DisposedError, or the fault of an earlier call that nobody awaited */
  assertUsable(): void {
    // Disposing destroys the device, which counts as a loss too.
    if (this.#disposed) throw new DisposedError('This Gpu was disposed.', { where: 'Gpu' });
    if (this.#loss !== undefined) throw this.#loss;
    if (this.#fault !== undefined) {
      const fault = this.#fault;
      this.#fault = undefined;
      throw fault;
    }
  }

  /**
   * Runs `body` and waits for what WebGPU says of it: validation and out-of-memory errors become typed exceptions that
   * name `where`. The body is synchronous, since error scopes are a stack that the whole device shares.
   */
  async scoped<T>(where: string, body: () => T): Promise<T> {
    this.assertUsable();
    const { device } = this;
    for (const filter of ['internal', 'validation', 'out-of-memory'] as const) device.pushErrorScope(filter);
    let verdicts: Promise<GPUError | null>[] = [];
    let result: T;
    try {
      result = body();
    } finally {
      verdicts = [0, 1, 2].map(() => device.popErrorScope().catch(() => null));
    }
    for (const error of await this.#wait(Promise.all(verdicts))) {
      if (error !== null) throw typedError(error, where);
    }
    if (this.#loss !== undefined) throw this.#loss;
    return result;
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
    const buffer = this.device.createBuffer({ label, size, usage });
    this.memory.enter(size);
    let released = false;
    return {
      buffer,
      release: () => {
        if (released) return;
        released = true;
        buffer.destroy();
        this.memory.strike(size);
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
   * @param data as many elements as the shape has; packed words for `bits`
   */
  tensor(label: string, shape: Shape, dtype: DType, data?: ArrayBufferView<ArrayBuffer>): Tensor {
    return this.allocate(new Tensor(label, shape, dtype), data);
  }

  /** Gives a declared tensor memory of its own, filled with `data` or zeros. See `tensor`. */
  allocate(tensor: Tensor, data?: ArrayBufferView<ArrayBuffer>): Tensor {
    const { label, byteLength, shape, dtype } = tensor;
    if (data !== undefined && data.byteLength !== byteLength) {
      throw new ShapeError("The data doesn't fill the tensor.", {
        given: `${data.byteLength} bytes`,
        expected: `${byteLength} bytes for ${describe(shape, dtype)}`,
        where: label,
      });
    }
    const { STORAGE, COPY_SRC, COPY_DST } = BUFFER_USAGE;
    const { buffer, release } = this.createBuffer(label, byteLength, STORAGE | COPY_SRC | COPY_DST);
    tensor.place({ buffer, offset: 0 }, release);
    if (data !== undefined) this.write(tensor, data);
    return tensor;
  }

  /** Copies `data` into a tensor, from its start; queued, in order with submits. */
  write(tensor: Tensor, data: ArrayBufferView<ArrayBuffer>): void {
    this.assertUsable();
    const { buffer, offset } = tensor.placement;
    const whole = data.byteLength & ~3;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (whole > 0) this.device.queue.writeBuffer(buffer, offset, bytes, 0, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(whole));
      this.device.queue.writeBuffer(buffer, offset + whole, tail);
    }
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

  async readBytes(tensor: Tensor): Promise<ArrayBuffer> {
    const bytes = Math.ceil(tensor.byteLength / 4) * 4;
    const where = `reading ${tensor.label}`;
    let release = () => {};
    try {
      const { staging, mapped } = await this.scoped(where, () => {
        const { buffer, offset } = tensor.placement;
        const made = this.createBuffer(where, bytes, BUFFER_USAGE.MAP_READ | BUFFER_USAGE.COPY_DST);
        release = made.release;
        const encoder = this.device.createCommandEncoder();
        encoder.copyBufferToBuffer(buffer, offset, made.buffer, 0, bytes);
        this.submit(encoder);
        this.counters.readbacks += 1;
        const mapped = this.orLost(made.buffer.mapAsync(MAP_READ));
        // Awaited below; a rejection before that must not count as unhandled.
        mapped.catch(() => undefined);
        return { staging: made.buffer, mapped };
      });
      await mapped;
      return staging.getMappedRange(0, bytes).slice(0, tensor.byteLength);
    } finally {
      release();
    }
  }

  submit(encoder: GPUCommandEncoder): void {
    this.assertUsable();
    this.counters.submits += 1;
    this.device.queue.submit([encoder.finish()]);
  }

  /** Waits until the GPU has done everything submitted so far. @throws DeviceLostError */
  async finished(): Promise<void> {
    this.assertUsable();
    await this.orLost(this.device.queue.onSubmittedWorkDone());
    this.assertUsable();
  }

  /**
   * The pipeline of a kernel with these constants, compiled once.
   * @throws GpuValidationError naming the kernel; DataUnavailableError where its shader can't be loaded
   */
  pipeline(kernel: KernelSpec, constants: Constants): Promise<GPUComputePipeline> {
    this.assertUsable();
    const key = pipelineKey(kernel, constants);
    let pipeline = this.#pipelines.get(key);
    if (pipeline === undefined) {
      this.counters.pipelines += 1;
      pipeline = this.#compile(kernel, constants, key);
      this.#pipelines.set(key, pipeline);
      pipeline.catch(() => this.#pipelines.delete(key));
    }
    return pipeline;
  }

  /** The bind group layout of a kernel; shared by all kernels with the same bindings. */
  bindGroupLayout(kernel: KernelSpec): GPUBindGroupLayout {
    const accesses = Object.values(kernel.bindings);
    const key = accesses.join();
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      layout = this.device.createBindGroupLayout({
        label: key,
        entries: accesses.map((access, binding) => ({
          binding,
          visibility: COMPUTE_STAGE,
          buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
        })),
      });
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
    this.#modules.clear();
    this.#layouts.clear();
    if (this.#owned) this.device.destroy();
  }

  [Symbol.dispose](): void {
    if (!this.#disposed) this.dispose();
  }

  async #compile(kernel: KernelSpec, constants: Constants, label: string): Promise<GPUComputePipeline> {
    const code = await loadShader(kernel);
    let module = this.#modules.get(kernel.name);
    if (module === undefined) {
      // What is wrong with the text is said below, by the pipeline and the module's own messages.
      this.device.pushErrorScope('validation');
      module = this.device.createShaderModule({ label: kernel.name, code });
      this.device.popErrorScope().catch(() => null);
      this.#modules.set(kernel.name, module);
    }
    try {
      return await this.orLost(
        this.device.createComputePipelineAsync({
          label,
          layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.bindGroupLayout(kernel)] }),
          compute: { module, entryPoint: 'main', constants },
        }),
      );
    } catch (cause) {
      if (cause instanceof BnnError) throw cause;
      const info = await module.getCompilationInfo().catch(() => undefined);
      const first = info?.messages.find((message) => message.type === 'error');
      const own = first && kernel.filled && methodAt(code, first.lineNum, kernel.filled.fillings);
      throw new GpuValidationError(`The kernel ${kernel.name} doesn't compile on this device.`, {
        given: first ? `line ${own?.line ?? first.lineNum}: ${first.message}` : String(cause),
        where: own === undefined ? label : `the WGSL of ${own.name}, in ${label}`,
        cause,
      });
    }
  }

  /**
   * Waits for the GPU as suits this host. Settles as `work` does; where it fails because the device is gone, with that loss.
   * @throws DeviceLostError
   */
  async orLost<T>(work: Promise<T>): Promise<T> {
    try {
      return await this.#wait(work);
    } catch (cause) {
      // A rejection that the loss caused can arrive before `lost` settles: give it one turn.
      const loss = await Promise.race([
        this.lost,
        new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 50)),
      ]);
      throw loss ?? cause;
    }
  }
}

/** A stable name for a kernel and its constants. */
function pipelineKey(kernel: KernelSpec, constants: Constants): string {
  const names = 'FIRST_ROW' in constants ? [...kernel.constants, 'FIRST_ROW'] : kernel.constants;
  const values = names.map((name) => `${name}=${constants[name]}`);
  return `${kernel.name}(${values.join(',')})`;
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

/** Names an adapter where choices are kept. */
export function adapterKey({ vendor, architecture, device, description }: AdapterSummary): string {
  return [vendor, architecture, device, description].join(' / ');
}

function summarize(info: GPUAdapterInfo & MatrixInfo): AdapterSummary {
  const lanes = info.subgroupMinSize;
  const matrices = lanes === info.subgroupMaxSize ? info.subgroupMatrixConfigs : undefined;
  const text = `${info.architecture} ${info.device} ${info.description}`.toLowerCase();
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    software: info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|warp|basic render/.test(text),
    ...(lanes && { lanes }),
    ...(matrices && {
      matrices: matrices.map(
        ({ componentType, M, N, K, resultComponentType }) =>
          `${componentType} ${M}x${N}x${K} ${resultComponentType} by ${lanes}`,
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
