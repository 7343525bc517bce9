/** Where commands that only run networks run them: `--engine` and `--threads`. */
import { type Command, Option } from 'commander';
import { LayerNotRunError, NoAdapterError, OptionError, WebGpuUnavailableError } from '../errors.ts';
import { type Engine, type Gpu, gpuEngine, wasmEngine } from '../index.ts';
import { type AdapterOptions, acquire, describeAdapter, positiveInteger } from './options.ts';

export interface EngineOptions extends AdapterOptions {
  readonly engine: 'auto' | 'gpu' | 'wasm';
  readonly threads?: number;
}

/** An engine with its words. */
export interface NamedEngine {
  readonly engine: Engine;
  /** Label and text of the line that says where it ran. */
  readonly line: readonly [label: string, text: string];
  /** The same for JSON. */
  readonly facts: Readonly<Record<string, unknown>>;
  dispose(): void;
}

/** `--engine`. @param usual what is taken where nobody says anything */
export const engineOption = (usual: EngineOptions['engine'] = 'auto') =>
  new Option(
    '--engine <name>',
    'gpu: WebGPU, in software too; wasm: the processor; auto: WebGPU where there is hardware, else the processor, if it runs every layer',
  )
    .choices(['auto', 'gpu', 'wasm'])
    .default(usual);

/** Adds `--engine` and `--threads`. */
export function withEngine(command: Command, usual?: EngineOptions['engine']): Command {
  return command
    .addOption(engineOption(usual))
    .option('--threads <n>', 'of the processor (default: as many as it has, four at most)', positiveInteger);
}

/**
 * The GPU that is meant; undefined where the processor is.
 * @throws OptionError where options contradict each other; what `acquire` throws for a GPU that isn't there
 */
export async function gpuOf(flags: EngineOptions): Promise<Gpu | undefined> {
  if (flags.engine === 'wasm') {
    if (flags.adapter === 'auto') return undefined;
    throw new OptionError('The processor has no adapter.', {
      given: `--engine wasm --adapter ${flags.adapter}`,
      remedy: 'leave one of them away',
    });
  }
  if (flags.engine === 'gpu' || flags.adapter !== 'auto') return await acquire(flags);
  try {
    return await acquire({ ...flags, adapter: 'hardware' });
  } catch (cause) {
    if (cause instanceof NoAdapterError || cause instanceof WebGpuUnavailableError) return undefined;
    throw cause;
  }
}

/** Its line and facts are right once a network was made. @throws as `gpuOf` does */
export async function openEngine(flags: EngineOptions): Promise<NamedEngine> {
  const gpu = await gpuOf(flags);
  if (gpu !== undefined) return onGpu(gpu);
  return flags.engine === 'auto' ? onProcessorFirst(flags) : onProcessor(flags);
}

/** The processor, or WebGPU in software for a network with a layer that the processor doesn't run. */
function onProcessorFirst(flags: EngineOptions): NamedEngine {
  let taken = onProcessor(flags);
  return {
    engine: {
      get name() {
        return taken.engine.name;
      },
      async create(model, values) {
        try {
          return await taken.engine.create(model, values);
        } catch (cause) {
          if (!(cause instanceof LayerNotRunError)) throw cause;
          const gpu = await acquire(flags).catch(() => {
            throw cause;
          });
          taken = onGpu(gpu);
          return await taken.engine.create(model, values);
        }
      },
    },
    get line() {
      return taken.line;
    },
    get facts() {
      return taken.facts;
    },
    dispose: () => taken.dispose(),
  };
}

function onGpu(gpu: Gpu): NamedEngine {
  const name = describeAdapter(gpu);
  return {
    engine: gpuEngine(gpu),
    line: ['adapter', name],
    facts: { engine: 'gpu', adapter: { ...gpu.adapter, name } },
    dispose: () => gpu.dispose(),
  };
}

function onProcessor({ threads }: EngineOptions): NamedEngine {
  const of = threads === undefined ? '' : `, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return {
    engine: wasmEngine({ threads }),
    line: ['engine', `WebAssembly, on the processor${of}`],
    facts: { engine: 'wasm', ...(threads === undefined ? {} : { threads }) },
    dispose: () => {},
  };
}
