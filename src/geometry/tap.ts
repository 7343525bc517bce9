/**
 * Geometry while a network trains, without a stall: statistics of every filter are computed in the submit that holds the
 * step, and only their reduced numbers come back, while the next steps run. Latent weights are read, never written.
 *
 *   const tap = await GeometryTap.create(trainer.network, { onSample: ({ step, layers }) => draw(step, layers) });
 *   await trainer.fit({ tap: tap.every(50) });
 *   tap.dispose();
 */

import { Owner } from '../dispose.ts';
import { DisposedError, FormatError } from '../errors.ts';
import { BUFFER_USAGE, Gpu, type Program, ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';
import type { Network } from '../graph/index.ts';
import { SIGN_HISTORY_COLUMNS } from '../kernels/geometry.ts';
import type { Parameter } from '../layers/index.ts';
import { packSigns } from '../numerics/pack.ts';
import { filterGeometry, signHistory } from '../ops/geometry.ts';
import { assertKnownOptions, assertPresent, namesOf } from '../options.ts';
import { type LayerGeometry, layerGeometry } from './measure.ts';

/** The geometry of a layer at one step of a training. */
export interface TappedLayer extends LayerGeometry {
  /** Share of the weights whose sign isn't what it was at the sample before. */
  readonly flipped: number;
  /** Share of the weights whose sign isn't what it was at the start. */
  readonly flippedSinceStart: number;
  /** How many samples ago a weight was last seen with another sign, on average; counted from the first sample. */
  readonly meanAge: number;
}

/** Statistics of all filters after a step. */
export interface GeometrySample {
  /** Steps done when the weights were as they are described. */
  readonly step: number;
  /** One for each binary parameter, in the network's order. */
  readonly layers: readonly TappedLayer[];
}

/** How often a tap measures. */
export interface GeometryTapOptions {
  /** Called with every sample, in the order of the steps. */
  readonly onSample: (sample: GeometrySample) => void;
  /** Latent weights at the start, by parameter; absent, those that the network has now. */
  readonly start?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /**
   * The checkpoint that the training was restored from: flips and ages go on from what a tap had counted then. Without one of
   * a tapped training, they begin anew.
   */
  readonly resume?: TapCheckpoint;
}

const OPTIONS = namesOf<GeometryTapOptions>({ onSample: true, start: true, resume: true });

/** What of a tap a checkpoint keeps; every `Checkpoint` of the trainer is one. */
export interface TapCheckpoint {
  /** By name, as safetensors keeps them. */
  readonly tensors: ReadonlyMap<string, TapTensor>;
}

/** A tensor of a tap, as checkpoints keep it. */
export interface TapTensor {
  /** Type of an element. */
  readonly dtype: 'F32' | 'U32';
  /** Extent of each axis. */
  readonly shape: Shape;
  /** Elements in row-major order. */
  readonly data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** A tap as `FitHooks.tap` takes it. */
export interface RegularTap {
  /** Steps from one sample to the next. */
  readonly everySteps: number;
  /** Records the measurement after a step; see `StepTap`. */
  readonly encode: GeometryTap['encode'];
  /** What checkpoints keep of it; see `StepTap`. */
  readonly state: GeometryTap['state'];
}

interface Tapped {
  readonly parameter: Parameter;
  readonly statistics: Tensor;
  readonly history: Tensor;
}

interface Staging {
  readonly buffer: GPUBuffer;
  readonly release: () => void;
}

/**
 * Measures all filters of a network between steps of its training, without waiting: what `fit({ tap })`
 * takes.
 */
export class GeometryTap extends Owner {
  readonly #gpu: Gpu;
  readonly #program: Program;
  readonly #layers: readonly Tapped[];
  readonly #owned: readonly Tensor[];
  readonly #onSample: GeometryTapOptions['onSample'];
  /** As many as samples were ever under way at once. */
  readonly #staging = new Set<Staging>();
  readonly #free: Staging[] = [];
  readonly #bytes: number;
  #order: Promise<void> = Promise.resolve();
  #disposed = false;

  private constructor(
    gpu: Gpu,
    program: Program,
    layers: readonly Tapped[],
    owned: readonly Tensor[],
    onSample: GeometryTapOptions['onSample'],
  ) {
    super();
    this.#gpu = gpu;
    this.#program = program;
    this.#layers = layers;
    this.#owned = owned;
    this.#onSample = onSample;
    this.#bytes = layers.reduce((sum, layer) => sum + bytesOf(layer), 0);
  }

  /** Compiles the tap; takes 4 bytes a weight on the GPU for ages, and two more copies of the packed signs. */
  static async create(network: Network, options: GeometryTapOptions): Promise<GeometryTap> {
    assertPresent(network, 'the network', 'GeometryTap.create');
    assertKnownOptions(options, OPTIONS, 'GeometryTap.create');
    const { gpu } = network;
    const owned: Tensor[] = [];
    const builder = new ProgramBuilder(gpu, 'geometry tap');
    try {
      const layers = await gpu.scoped('geometry tap', () => {
        const encoder = gpu.encoder('geometry tap');
        const layers = network.binaryParameters.flatMap((parameter): Tapped[] => {
          const { name, value, packed, spec } = parameter;
          if (packed === undefined) return [];
          const make = (label: string, dtype: 'bits' | 'u32') => {
            const tensor = gpu.tensor(`${name} (${label})`, spec.shape, dtype);
            owned.push(tensor);
            return tensor;
          };
          const [start, before, ages] = [make('start', 'bits'), make('before', 'bits'), make('ages', 'u32')];
          const copyTo = (target: Tensor) =>
            gpu.copy(encoder, packed.placement, target.placement, Gpu.allocatedBytes(packed.byteLength));
          const state = [start, before, ages];
          const known = state.flatMap((tensor) => resumedWords(options.resume, tensor) ?? []);
          const given = options.start?.get(name);
          if (known.length === state.length) {
            state.forEach((tensor, i) => {
              gpu.write(tensor, known[i] ?? []);
            });
          } else {
            copyTo(before);
            if (given === undefined) copyTo(start);
            else {
              const channels = spec.shape.at(-1) ?? 1;
              gpu.write(start, packSigns(given, given.length / channels, channels));
            }
          }
          const statistics = builder.keep(filterGeometry(builder, { latent: value }));
          const history = builder.keep(signHistory(builder, { now: packed, start, before, ages }));
          return [{ parameter, statistics, history }];
        });
        gpu.submit(encoder);
        return layers;
      });
      return new GeometryTap(gpu, await builder.compile(), layers, owned, options.onSample);
    } catch (cause) {
      for (const tensor of owned) tensor.dispose();
      throw cause;
    }
  }

  /** The tap as `fit` takes it, with all that a checkpoint needs: `trainer.fit({ tap: tap.every(50) })`. */
  every(steps: number): RegularTap {
    return { everySteps: steps, encode: this.encode, state: this.state };
  }

  /** What the flips and ages of later samples follow from; a checkpoint that has it resumes the tap, see `resume`. */
  readonly state = async (): Promise<Map<string, TapTensor>> => {
    const tensors = new Map<string, TapTensor>();
    for (const tensor of this.#owned) {
      const data = await this.#gpu.readWords(tensor);
      tensors.set(stateName(tensor), { dtype: 'U32', shape: [data.length], data });
    }
    return tensors;
  };

  /**
   * Records a sample of the weights as they are then; nothing is submitted. Fits `FitHooks.tap`.
   * @returns to be called once the encoder was submitted, with a promise that rejects if that wasn't done after all: resolves
   *   when the sample was handed on
   */
  readonly encode = (
    encoder: GPUCommandEncoder,
    step: number,
  ): ((done?: Promise<unknown>) => Promise<void>) => {
    if (this.#disposed) throw new DisposedError('This tap was disposed.', { where: 'GeometryTap' });
    const staging = this.#free.pop() ?? this.#makeStaging();
    try {
      this.#program.encode(encoder);
      let offset = 0;
      for (const { statistics, history } of this.#layers) {
        for (const tensor of [statistics, history]) {
          const target = { buffer: staging.buffer, offset };
          this.#gpu.copy(encoder, tensor.placement, target, tensor.byteLength);
          offset += tensor.byteLength;
        }
      }
    } catch (cause) {
      this.#free.push(staging);
      throw cause;
    }
    return (done) => {
      const layers = this.#read(staging, done);
      // It may fail while an earlier one is waited for.
      layers.catch(() => undefined);
      const handed = this.#order.then(async () => this.#onSample({ step, layers: await layers }));
      // Whoever waits for this sample hears of its failure; the next one must not.
      this.#order = handed.catch(() => undefined);
      return handed;
    };
  };

  /** Frees its memory; samples under way must have been handed on. @throws DisposedError the second time */
  dispose(): void {
    if (this.#disposed) throw new DisposedError('This tap was disposed already.', { where: 'GeometryTap' });
    this.#disposed = true;
    this.#program.dispose();
    for (const tensor of this.#owned) tensor.dispose();
    for (const { release } of this.#staging) release();
  }

  override get disposed(): boolean {
    return this.#disposed;
  }

  async #read(staging: Staging, done: Promise<unknown> | undefined): Promise<TappedLayer[]> {
    const { buffer } = staging;
    const [memory, steps] = await Promise.allSettled([this.#gpu.map('geometry tap', buffer), done]);
    try {
      if (steps.status === 'rejected') throw steps.reason;
      if (memory.status === 'rejected') throw memory.reason;
      return this.#layersFrom(memory.value);
    } finally {
      if (buffer.mapState === 'mapped') buffer.unmap();
      if (memory.status === 'fulfilled') this.#free.push(staging);
      else {
        // The device may have refused it when it was made.
        this.#staging.delete(staging);
        staging.release();
      }
    }
  }

  #makeStaging(): Staging {
    const { MAP_READ: READ, COPY_DST } = BUFFER_USAGE;
    const made = this.#gpu.createBuffer('geometry readback', Math.max(4, this.#bytes), READ | COPY_DST);
    this.#staging.add(made);
    return made;
  }

  #layersFrom(memory: ArrayBuffer): TappedLayer[] {
    let offset = 0;
    return this.#layers.map(({ parameter, statistics, history }) => {
      const rows = new Float32Array(memory, offset, statistics.size).slice();
      const signs = new Uint32Array(memory, offset + statistics.byteLength, history.size);
      offset += statistics.byteLength + history.byteLength;
      let [flipped, flippedSinceStart, ages] = [0, 0, 0];
      for (let row = 0; row < signs.length; row += SIGN_HISTORY_COLUMNS) {
        flipped += signs[row] ?? 0;
        flippedSinceStart += signs[row + 1] ?? 0;
        ages += (signs[row + 2] ?? 0) + 2 ** 32 * (signs[row + 3] ?? 0);
      }
      const weights = parameter.value.size;
      return {
        ...layerGeometry(parameter, rows),
        flipped: flipped / weights,
        flippedSinceStart: flippedSinceStart / weights,
        meanAge: ages / weights,
      };
    });
  }
}

function bytesOf({ statistics, history }: Tapped): number {
  return statistics.byteLength + history.byteLength;
}

/** The name of a tensor of a tap in checkpoints. */
function stateName({ label }: Tensor): string {
  return `tap/${label}`;
}

/** What a checkpoint holds for a tensor of a tap; nothing where it is of a training without one. */
function resumedWords(
  resume: TapCheckpoint | undefined,
  tensor: Tensor,
): Uint32Array<ArrayBuffer> | undefined {
  const saved = resume?.tensors.get(stateName(tensor));
  if (saved === undefined) return undefined;
  if (saved.data instanceof Uint32Array && saved.data.byteLength === tensor.byteLength) return saved.data;
  throw new FormatError("A tensor of the checkpoint isn't one of this tap.", {
    given: `${saved.dtype} [${saved.shape.join(', ')}]`,
    expected: `${tensor.byteLength / 4} words`,
    where: stateName(tensor),
  });
}
