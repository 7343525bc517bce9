/** What runs a network: a GPU, WebAssembly, or anything else that gives the same bits. */
import { Owner } from '../dispose.ts';
import {
  LayerNotRunError,
  NoAdapterError,
  OptionError,
  WebAssemblyUnavailableError,
  WebGpuUnavailableError,
} from '../errors.ts';
import { Gpu } from '../gpu/index.ts';
import { type Model, type NamedSamples, Network, type ParameterValues } from '../graph/index.ts';
import { assertKnownOptions } from '../options.ts';

/** A network that is ready to run. */
export interface Runner {
  /**
   * @param samples f32 [count, ...inputShape]; of several inputs, by name
   * @returns f32 [count, ...outputShape]; for samples by name, each output by its name
   * @throws ShapeError unless whole samples are given; DisposedError
   */
  predict(samples: Float32Array): Promise<Float32Array<ArrayBuffer>>;
  predict(samples: NamedSamples): Promise<Record<string, Float32Array<ArrayBuffer>>>;
  /** Frees its memory. @throws DisposedError the second time */
  dispose(): void;
  /** Whether its memory was freed. */
  readonly disposed: boolean;
}

/** What runs networks: a GPU, WebAssembly, or something of your own. */
export interface Engine {
  /** What results say that they come from: `gpu`, `wasm`. */
  readonly name: string;
  /**
   * Makes a network ready to run, binary weights as packed bits.
   * @param model for inference, as `foldForInference` gives it or as it was read
   * @throws OutOfMemoryError; LayerNotRunError naming a layer that the engine doesn't run
   */
  create(model: Model, values: ParameterValues): Promise<Runner>;
}

/** Which engine is wanted, by name, and how it is to work. */
export interface EngineChoice {
  /**
   * `gpu`: WebGPU, on a software adapter too. `wasm`: the processor. Default: WebGPU where it has hardware, else the processor,
   * else WebGPU in software.
   */
  readonly engine?: 'gpu' | 'wasm' | undefined;
  /** Of `wasm`: threads that work, the calling one among them. Default: as many as there are processors, four at most. */
  readonly threads?: number | undefined;
}

/** Where a network runs: on a GPU, on an engine, or on what is chosen by name or by itself. */
export type RunsOn = Gpu | { readonly engine: Engine } | EngineChoice;

/** The engine that the caller means. @throws OptionError for what is none */
export function engineOf(on: RunsOn | undefined): Engine {
  const given: unknown = on === undefined ? {} : on;
  if (given instanceof Gpu) return gpuEngine(given);
  if (typeof given !== 'object' || given === null) throw notAnEngine(given);
  const { engine, threads } = given as { readonly engine?: unknown; readonly threads?: number };
  if (typeof (engine as Engine | undefined)?.create === 'function') return engine as Engine;
  // A Gpu of another copy of this library.
  if ('device' in given) return gpuEngine(given as Gpu);
  assertKnownOptions(given, ['engine', 'threads'], 'engine');
  switch (engine) {
    case 'wasm':
      return wasmEngine({ threads });
    case 'gpu':
      return requestedGpu({});
    case undefined:
      return bestEngine(threads);
    default:
      throw notAnEngine(engine);
  }
}

function notAnEngine(given: unknown): OptionError {
  return new OptionError('This is no engine.', {
    given: typeof given === 'string' ? given : typeof given,
    expected: "'gpu', 'wasm', or an object with name and create(model, values)",
    where: 'engine',
  });
}

/** Runs networks on a GPU. */
export function gpuEngine(gpu: Gpu): Engine {
  return {
    name: 'gpu',
    create: (model, values) => Network.create(gpu, model, { values, forInference: true }),
  };
}

/**
 * Runs networks in WebAssembly, on the processor: the same integers to the bit. Its code is loaded when it is needed.
 * @param options.threads the calling one among them; default: as many as there are processors, four at most, where memory can
 *   be shared (Node, pages that are isolated across origins), else one
 */
export function wasmEngine(options: { readonly threads?: number | undefined } = {}): Engine {
  return {
    name: 'wasm',
    async create(model, values) {
      const { CpuNetwork } = await import('../cpu/index.ts');
      return CpuNetwork.create(model, values, options);
    },
  };
}

/** A GPU that is asked for when a network is made, and goes with it. */
function requestedGpu(options: { readonly requireHardware?: boolean }): Engine {
  return {
    name: 'gpu',
    async create(model, values) {
      const gpu = await Gpu.request(options);
      try {
        return new OwningRunner(await gpuEngine(gpu).create(model, values), gpu);
      } catch (cause) {
        gpu.dispose();
        throw cause;
      }
    },
  };
}

/** A network with the GPU that was requested for it. */
class OwningRunner extends Owner implements Runner {
  readonly #network: Runner;
  readonly #gpu: Gpu;

  constructor(network: Runner, gpu: Gpu) {
    super();
    this.#network = network;
    this.#gpu = gpu;
  }

  predict(samples: Float32Array): Promise<Float32Array<ArrayBuffer>>;
  predict(samples: NamedSamples): Promise<Record<string, Float32Array<ArrayBuffer>>>;
  predict(samples: Float32Array | NamedSamples): Promise<never> {
    return this.#network.predict(samples as Float32Array) as Promise<never>;
  }

  dispose(): void {
    this.#network.dispose();
    this.#gpu.dispose();
  }

  override get disposed(): boolean {
    return this.#network.disposed;
  }
}

/** Hardware by WebGPU, else the processor, else WebGPU in software. Its name is that of what was taken last. */
function bestEngine(threads: number | undefined): Engine {
  let name = '';
  return {
    get name() {
      return name;
    },
    async create(model, values) {
      const candidates = [
        requestedGpu({ requireHardware: true }),
        wasmEngine({ threads }),
        // A layer of one's own runs there too, if slowly.
        requestedGpu({}),
      ];
      let reason: unknown;
      for (const candidate of candidates) {
        try {
          const runner = await candidate.create(model, values);
          name = candidate.name;
          return runner;
        } catch (cause) {
          if (!isAbsence(cause)) throw cause;
          // Why the processor doesn't run it says more than that there is no GPU.
          if (reason === undefined || candidate.name === 'wasm') reason = cause;
        }
      }
      throw reason;
    },
  };
}

/** Whether an engine isn't here, or doesn't run a layer. */
function isAbsence(cause: unknown): boolean {
  return (
    cause instanceof WebGpuUnavailableError ||
    cause instanceof NoAdapterError ||
    cause instanceof WebAssemblyUnavailableError ||
    cause instanceof LayerNotRunError
  );
}
