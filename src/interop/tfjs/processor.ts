/**
 * Binary products where TensorFlow.js itself runs on the processor: by the WebAssembly engine, which counts 64 signs at a time.
 * Sums of signs are exact, so it doesn't matter to anybody from when on it takes part: it is loaded when the first product asks for
 * it, and until then TensorFlow.js multiplies. Gradients are TensorFlow.js' own.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Program, Value, Workspace } from '../../cpu/workspace.ts';
import { type Shape, sizeOf } from '../../gpu/index.ts';
import { packSigns } from '../../numerics/pack.ts';
import type { Conv2dOptions } from '../../ops/conv.ts';
import { KERNELS_FLAG } from './backend.ts';

/** Backends whose tensors lie in memory that can be read at once. */
const BACKENDS: readonly string[] = ['cpu', 'wasm'];

type Engine = Pick<typeof import('../../cpu/workspace.ts'), 'multiplied' | 'Recorder'> & {
  readonly workspace: Workspace;
};
let engine: Engine | undefined;
let loading: Promise<boolean> | undefined;

/**
 * Loads the WebAssembly engine, so that binary layers on TensorFlow.js' cpu and wasm backends run in it from their first call on.
 * Without it they do so from when it has been loaded.
 * @returns whether it runs here: false where there is no WebAssembly with vectors of 128 bits
 */
export function loadEngine(): Promise<boolean> {
  loading ??= import('../../cpu/workspace.ts')
    .then(async ({ Workspace, multiplied, Recorder }) => {
      engine = { workspace: await Workspace.create(), multiplied, Recorder };
      return true;
    })
    .catch(() => false);
  return loading;
}

/** The engine, where it is loaded, the backend is of the processor, and nobody records gradients. */
function engineHere(): Engine | undefined {
  const { backendName, state } = tf.engine();
  if (!BACKENDS.includes(backendName) || state.gradientDepth > 0) return undefined;
  if (!tf.env().getBool(KERNELS_FLAG)) return undefined;
  if (engine === undefined) void loadEngine();
  return engine;
}

/** Programs for weights, as long as those live: a variable that is assigned gets others. */
const programs = new WeakMap<object, Map<string, Program>>();

function programFor(weights: tf.TensorInfo, key: string, record: () => Program): Program {
  let known = programs.get(weights.dataId);
  if (known === undefined) {
    known = new Map();
    programs.set(weights.dataId, known);
  }
  let program = known.get(key);
  if (program === undefined) {
    program = record();
    known.set(key, program);
  }
  return program;
}

/**
 * The product of signs with signs.
 * @param x f32 [M, K], or [N, H, W, C]
 * @param w f32 [K, O], or [kh, kw, C/groups, O]
 * @param windows of a convolution
 * @param outputShape [M, O], or [N, OH, OW, O]
 * @returns undefined where the engine doesn't take part
 */
export function productOnProcessor(
  x: tf.Tensor,
  w: tf.Tensor,
  windows: Conv2dOptions | undefined,
  outputShape: Shape,
): tf.Tensor | undefined {
  const here = engineHere();
  if (here === undefined) return undefined;
  const [samples = 0, ...own] = x.shape;
  const key = `${own.join('x')} ${JSON.stringify(windows)}`;
  const program = programFor(w, key, () => {
    const recorder = new here.Recorder();
    const input = recorder.value('real', own);
    const output = here.multiplied(recorder, recorder.signs(input), {
      weights: packedOutputsFirst(w),
      windows: windows ?? {},
      outputShape: outputShape.slice(1),
      finish: {},
    });
    return { steps: recorder.steps, inputs: [input], outputs: [output] as Value[] };
  });
  const [sums] = here.workspace.run(program, [x.dataSync() as Float32Array], samples);
  return tf.tensor(new Float32Array((sums as Uint32Array<ArrayBuffer>).buffer), [...outputShape], 'float32');
}

/** Signs of a kernel whose outputs are its last axis. */
function packedOutputsFirst(w: tf.Tensor) {
  const outputs = w.shape.at(-1) ?? 1;
  const [height = 1, width = 1, channels = 1] = w.rank === 2 ? [1, 1, w.shape[0]] : w.shape;
  const values = w.dataSync();
  const each = sizeOf(w.shape) / outputs;
  const first = Float32Array.from({ length: values.length }, (_, i) => {
    const [output, at] = [Math.floor(i / each), i % each];
    return values[at * outputs + output] ?? 0;
  });
  return {
    signs: packSigns(first, outputs * height * width, channels),
    shape: [outputs, height, width, channels] as const,
  };
}
