/** A loaded model on a GPU, asked for classes. */
import { Owner } from '../dispose.ts';
import type { Gpu } from '../gpu/index.ts';
import { sizeOf } from '../gpu/index.ts';
import { Network, type RankedClass, rankClasses } from '../graph/index.ts';
import type { LoadedModel } from './load.ts';
import type { PixelEncoding, PixelRange } from './pixels.ts';

export interface ClassifyOptions {
  /** Classes to name for each image, the best first. Default 3. */
  readonly top?: number;
  /** What the network takes bytes as. Default: what the file says, and else 0 to 1. */
  readonly pixels?: PixelRange | PixelEncoding;
}

export interface Classification {
  /** The best classes of each image. */
  readonly results: readonly (readonly RankedClass[])[];
  /** f32 [count, ...outputShape]. */
  readonly scores: Float32Array<ArrayBuffer>;
  /** Wall time of the whole call over the number of images. A first call of a size compiles, which takes longer. */
  readonly millisecondsPerImage: number;
}

/** What a classifier needs of a loaded model. */
export type ClassifierModel = Pick<LoadedModel, 'model' | 'values' | 'classes' | 'prepare'>;

export class Classifier extends Owner {
  readonly loaded: ClassifierModel;
  readonly network: Network;

  private constructor(loaded: ClassifierModel, network: Network) {
    super();
    this.loaded = loaded;
    this.network = network;
  }

  /** Puts a model's weights on the GPU, binary ones as packed bits. @throws OutOfMemoryError */
  static async create(gpu: Gpu, loaded: ClassifierModel): Promise<Classifier> {
    const { model, values } = loaded;
    return new Classifier(loaded, await Network.create(gpu, model, { values, forInference: true }));
  }

  /**
   * The best classes of images.
   * @param images u8 [count, height, width, channels], or f32 of that shape as the network takes it
   * @throws ShapeError unless the images are whole
   */
  async classify(images: Uint8Array | Float32Array, options: ClassifyOptions = {}): Promise<Classification> {
    const start = performance.now();
    const samples = images instanceof Float32Array ? images : this.loaded.prepare(images, options.pixels);
    const scores = await this.network.predict(samples);
    const { outputShape } = this.loaded.model;
    const results = rankClasses(scores, sizeOf(outputShape), {
      top: options.top,
      classes: this.loaded.classes,
    });
    const milliseconds = performance.now() - start;
    return { results, scores, millisecondsPerImage: milliseconds / results.length };
  }

  /** Frees the network. @throws DisposedError the second time */
  dispose(): void {
    this.network.dispose();
  }

  override get disposed(): boolean {
    return this.network.disposed;
  }
}
