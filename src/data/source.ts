/**
 * Sources: where the samples and targets of a training come from. One is in memory as a whole, and then goes to the GPU once;
 * or it is a stream, which is read batch by batch while the GPU trains on the batches before. Both give the same bits.
 *
 *   const source = defineSource({
 *     count: 1_000_000,
 *     dtype: 'u8',
 *     identity: 'faces-2026-11',
 *     async read(samples, { images, labels }) {
 *       for (const [row, sample] of samples.entries()) {
 *         images.set(await pixelsOf(sample), row * 32 * 32 * 3);
 *         labels[row] = classOf(sample);
 *       }
 *     },
 *   });
 */
import { OptionError } from '../errors.ts';
import { contentDigest } from '../numerics/digest.ts';

/** Targets of samples: classes [count] of any width; bits u8 [count, outputs]; reals f32 [count, outputs]. */
export type Labels = Uint8Array | Uint16Array | Uint32Array | Float32Array;

/** Samples in memory. */
export interface ResidentSource {
  /** How many samples there are. */
  readonly count: number;
  /** [count, ...shape of a sample], row-major: bytes, which are normalised on the GPU, or reals. */
  readonly images: Uint8Array | Float32Array;
  /** What each sample should give, in the order of the images. */
  readonly labels: Labels;
  /** f32 [count]: what the loss and the gradient of each sample are multiplied by. Default: 1. */
  readonly weights?: Float32Array;
  /** Where each sample came from, for people: files of pictures. */
  readonly names?: readonly string[];
}

/** Where a stream writes samples: rows of a batch, in the order of the numbers that it was given. */
export interface SampleBatch {
  /** [rows, ...shape of a sample], of the stream's `dtype`. */
  readonly images: Uint8Array | Float32Array;
  /** Classes: u32 [rows]. Bits: u8 [rows, outputs]. Reals: f32 [rows, outputs]. */
  readonly labels: Uint32Array | Uint8Array | Float32Array;
  /** f32 [rows], 1 unless they are written. */
  readonly weights: Float32Array;
}

/** Samples that are read when they are needed. */
export interface StreamedSource {
  /** How many samples there are. */
  readonly count: number;
  /** What `read` writes as images. */
  readonly dtype: 'u8' | 'f32';
  /** Stands for the content in checkpoints, so that a training goes on with the same data: a version, or a digest. */
  readonly identity: string;
  /** Whether `read` writes weights of samples. Default false. */
  readonly weighted?: boolean;
  /** Samples of each class, where that is known: for weights that balance them. */
  readonly perClass?: readonly number[];
  /**
   * Writes samples into a batch. Samples come in any order, and the same one always has the same content. It is called ahead
   * of need, and never before the call before has ended; within a call it may decode in workers.
   * @param samples numbers from 0 to count − 1
   */
  readonly read: (samples: Uint32Array, into: SampleBatch) => void | Promise<void>;
}

/** Where samples come from: all of them at once, or batch by batch. */
export type Source = ResidentSource | StreamedSource;

/** Whether a source gives its samples batch by batch. */
export function isStreamed(source: Source): source is StreamedSource {
  return 'read' in source;
}

/** What a source has as images. */
export function dtypeOf(source: Source): StreamedSource['dtype'] {
  if (isStreamed(source)) return source.dtype;
  return source.images instanceof Uint8Array ? 'u8' : 'f32';
}

/**
 * A stream of one's own, checked: an object or an instance of a class.
 * @throws OptionError for a member that is missing or of another kind
 */
export function defineSource(definition: StreamedSource): StreamedSource {
  const where = 'defineSource';
  const { count, dtype, identity, weighted, read } = definition;
  const wrong = (member: string, given: unknown, expected: string) =>
    new OptionError('This member of a source is not what it should be.', {
      given: `${member}: ${typeof given === 'function' ? 'a function' : String(given)}`,
      expected,
      where,
    });
  if (!Number.isSafeInteger(count) || count < 1 || count > 2 ** 31)
    throw wrong('count', count, 'a whole number from 1 to 2^31');
  if (dtype !== 'u8' && dtype !== 'f32') throw wrong('dtype', dtype, 'u8 or f32');
  if (typeof identity !== 'string' || identity === '')
    throw wrong('identity', identity, 'a text that changes when the content does');
  if (weighted !== undefined && typeof weighted !== 'boolean')
    throw wrong('weighted', weighted, 'true or false');
  if (typeof read !== 'function') throw wrong('read', read, 'read(samples, into)');
  return definition;
}

/** What stands for the content of a source. */
export function sourceDigest(source: Source): string {
  if (isStreamed(source)) return source.identity;
  const { images, labels, weights } = source;
  return (
    contentDigest(images) + contentDigest(labels) + (weights === undefined ? '' : contentDigest(weights))
  );
}

/**
 * A source in memory as a stream: the GPU then holds some batches of it, and not all samples.
 * @example const data = { ...mnist, train: streamed(mnist.train) };
 */
export function streamed(source: ResidentSource): StreamedSource {
  const { count, images, labels, weights } = source;
  const rowsOf = (array: Labels) => array.length / count;
  const copy = (from: Labels, into: Labels, samples: Uint32Array) => {
    const size = rowsOf(from);
    for (const [row, sample] of samples.entries()) {
      into.set(from.subarray(sample * size, (sample + 1) * size), row * size);
    }
  };
  return defineSource({
    count,
    dtype: dtypeOf(source),
    identity: sourceDigest(source),
    weighted: weights !== undefined,
    read(samples, into) {
      copy(images, into.images, samples);
      copy(labels, into.labels, samples);
      if (weights !== undefined) copy(weights, into.weights, samples);
    },
  });
}
