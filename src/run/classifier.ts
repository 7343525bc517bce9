/** A loaded model on a GPU or another engine, asked for classes. */
import { plainBytes } from '../bytes.ts';
import { Owner } from '../dispose.ts';
import { ShapeError } from '../errors.ts';
import { describe, type Shape, sizeOf } from '../gpu/index.ts';
import type { Model, ParameterValues } from '../graph/index.ts';
import { assertKnownOptions } from '../options.ts';
import type { PictureSource } from '../pictures.ts';
import { type RankedClass, rankClasses } from './classes.ts';
import { engineOf, type Runner, type RunsOn } from './engine.ts';
import {
  chosenPixels,
  describePixels,
  type IntegerGrid,
  type PixelEncoding,
  type PixelRange,
  resolvePixels,
} from './pixels.ts';

/** How a classifier is made. */
export interface ClassifierOptions {
  /** What the network takes bytes as, a range by name or the numbers. Default: what the file says. */
  readonly pixels?: PixelRange | PixelEncoding | undefined;
}

/** How samples are read, and how many classes are named. */
export interface ClassifyOptions {
  /** Classes to name for each image, the best first. Default 3. */
  readonly top?: number;
  /** What the network takes bytes as. Default: what the classifier was made with, and else what the file says. */
  readonly pixels?: PixelRange | PixelEncoding | undefined;
}

/** What a network says of samples. */
export interface Classification {
  /** The best classes of each image. */
  readonly results: readonly (readonly RankedClass[])[];
  /** f32 [count, ...outputShape]. */
  readonly scores: Float32Array<ArrayBuffer>;
  /** Wall time of the whole call over the number of images. A first call of a size compiles, which takes longer. */
  readonly millisecondsPerImage: number;
  /** What a reader of the results should know: that the caller's pixels were taken, and not the file's. */
  readonly notes: readonly string[];
}

/** What a classifier needs of a loaded model. */
export interface ClassifierModel {
  /** Its layers. */
  readonly model: Model;
  /** By `layer/parameter`: reals, or packed signs. */
  readonly values: ParameterValues;
  /** Names of the outputs, where the file names them. */
  readonly classes: readonly string[] | undefined;
  /** How the network takes the bytes of an image, where the file says it. */
  readonly pixels: PixelEncoding | undefined;
  /** Of a network that takes 8-bit integers for reals: a range of pixels by name is one of the reals. */
  readonly grid?: IntegerGrid | undefined;
  /**
   * Bytes of images to what the network takes.
   * @param pixels u8 [count, height, width, channels]
   * @param encoding a range by name, or the numbers that the network takes; default: what the file says
   * @throws ShapeError unless the images are whole; OptionError where neither the file nor the caller says the encoding
   */
  prepare(pixels: Uint8Array, encoding?: PixelRange | PixelEncoding): Float32Array<ArrayBuffer>;
}

/** A network that says classes of pictures or numbers. */
export class Classifier extends Owner {
  /** What it was made of. */
  readonly loaded: ClassifierModel;
  /** What runs it; of a GPU, a `Network`. */
  readonly network: Runner;
  /** The name of the engine that it runs on. */
  readonly engine: string;
  readonly #pixels: PixelRange | PixelEncoding | undefined;

  private constructor(
    loaded: ClassifierModel,
    network: Runner,
    engine: string,
    { pixels }: ClassifierOptions,
  ) {
    super();
    this.loaded = loaded;
    this.network = network;
    this.engine = engine;
    this.#pixels = pixels;
  }

  /**
   * Puts a model's weights where they are used, on a GPU as packed bits.
   * @param on a GPU, `{ engine: 'gpu' | 'wasm', threads }`, or an engine of one's own as `{ engine }`; default: a GPU where
   *   there is hardware, else the processor
   * @throws OutOfMemoryError; OptionError for an unknown range of pixels; NoAdapterError, WebGpuUnavailableError or
   *   WebAssemblyUnavailableError where there is nothing to run it
   */
  static async create(
    on: RunsOn | undefined,
    loaded: ClassifierModel,
    options: ClassifierOptions = {},
  ): Promise<Classifier> {
    const { model, values } = loaded;
    if (options.pixels !== undefined) resolvePixels(options.pixels);
    const engine = engineOf(on);
    return new Classifier(loaded, await engine.create(model, values), engine.name, options);
  }

  /**
   * The best classes of images. A network with one output tells two classes apart, if it ends in a sigmoid or has two names:
   * class 1 from a half up, or from 0 where no sigmoid is at its end.
   * @param images u8 [count, height, width, channels], or f32 of that shape as the network takes it; or pictures of a page, which
   *   are brought to its size and colours
   * @throws ShapeError unless the images are whole; OptionError for bytes where nobody says how the network takes them, and for
   *   pictures whose pixels can't be read; FormatError for files that are no pictures
   */
  async classify(
    images: Uint8Array | Float32Array | PictureSource | readonly PictureSource[],
    options: ClassifyOptions = {},
  ): Promise<Classification> {
    assertKnownOptions(options, ['top', 'pixels'], 'classify');
    const start = performance.now();
    const { model, classes } = this.loaded;
    const pixels = options.pixels ?? this.#pixels;
    const isReal = images instanceof Float32Array;
    const samples = isReal ? images : this.loaded.prepare(await bytesOf(images, model.inputShape), pixels);
    const scores = await this.network.predict(samples);
    const width = sizeOf(model.outputShape);
    const ending = model.layers.at(-1)?.layer.kind;
    const isPair = width === 1 && (ending === 'sigmoid' || classes?.length === 2);
    const results = rankClasses(scores, width, {
      ...{ top: options.top, classes },
      pairFrom: isPair ? (ending === 'sigmoid' ? 0.5 : 0) : undefined,
    });
    const milliseconds = performance.now() - start;
    const notes = isReal || pixels === undefined ? [] : contradiction(this.loaded, pixels);
    return { results, scores, millisecondsPerImage: milliseconds / results.length, notes };
  }

  /** Frees the network. @throws DisposedError the second time */
  dispose(): void {
    this.network.dispose();
  }

  override get disposed(): boolean {
    return this.network.disposed;
  }
}

/** Bytes of images. What pictures need is loaded where there are some. */
async function bytesOf(
  images: Uint8Array | PictureSource | readonly PictureSource[],
  shape: Shape,
): Promise<Uint8Array<ArrayBuffer>> {
  const where = 'classify';
  if (images instanceof Uint8Array) return plainBytes(images, where);
  const { imagesOf, isPicture } = await import('../pictures.ts');
  const all: readonly unknown[] = Array.isArray(images) ? images : [images];
  if (!all.every(isPicture)) return plainBytes(images as never, where);
  if (shape.length !== 3) {
    throw new ShapeError('This network takes no pictures.', {
      given: 'a picture',
      expected: describe(shape),
      where,
      remedy: 'give the numbers themselves: a Float32Array',
    });
  }
  const [height = 1, width = 1, channels = 1] = shape;
  return imagesOf(all, { height, width, channels }, where);
}

/** What to say where the caller takes bytes otherwise than the file says. */
function contradiction(loaded: ClassifierModel, given: PixelRange | PixelEncoding): string[] {
  if (loaded.pixels === undefined) return [];
  const [theirs, ours] = [describePixels(loaded.pixels), describePixels(chosenPixels(loaded, given))];
  if (theirs === ours) return [];
  const [filed, taken] = [theirs, ours].map((text) => text.slice(0, 200));
  return [`the file says that it takes bytes as ${filed}; ${taken} was taken, as the caller says`];
}
