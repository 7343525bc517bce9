/** What runs a network: a GPU, or anything else that gives the same bits. */
import { OptionError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { type Model, type NamedSamples, Network, type ParameterValues } from '../graph/index.ts';

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
  readonly disposed: boolean;
}

export interface Engine {
  /** What results say that they come from: `gpu`. */
  readonly name: string;
  /**
   * Makes a network ready to run, binary weights as packed bits.
   * @param model for inference, as `foldForInference` gives it or as it was read
   * @throws OutOfMemoryError; OptionError naming a layer that the engine doesn't run
   */
  create(model: Model, values: ParameterValues): Promise<Runner>;
}

/** Where a network runs: on a GPU, or on an engine. */
export type RunsOn = Gpu | { readonly engine: Engine };

/** The engine that the caller means. @throws OptionError for what is none */
export function engineOf(on: RunsOn): Engine {
  const given: unknown = on;
  if (typeof given !== 'object' || given === null || !('engine' in given)) return gpuEngine(on as Gpu);
  const { engine } = given as { readonly engine: Engine };
  if (typeof engine?.create === 'function') return engine;
  throw new OptionError('This is no engine.', {
    given: typeof engine === 'string' ? engine : typeof engine,
    expected: 'an object with name and create(model, values)',
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
