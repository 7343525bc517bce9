/** Parts of a source in memory: a part for testing, in the proportions of the classes, and the first samples. */
import { OptionError } from '../errors.ts';
import { permute } from '../numerics/random.ts';
import type { TrainingData } from './dataset.ts';
import { isStreamed, type ResidentSource } from './source.ts';

/** Epochs of trainings are counted from 0: this order is none of theirs. */
const ORDER = 0xffffffff;

/** Samples by their numbers, in this order. */
export function pick(source: ResidentSource, samples: ArrayLike<number>): ResidentSource {
  const rows = <T extends ResidentSource['images'] | ResidentSource['labels']>(array: T): T => {
    const size = array.length / source.count;
    const picked = new (array.constructor as new (length: number) => T)(size * samples.length);
    for (let row = 0; row < samples.length; row++) {
      const at = (samples[row] ?? 0) * size;
      picked.set(array.subarray(at, at + size) as never, row * size);
    }
    return picked;
  };
  const { images, labels, weights } = source;
  return {
    count: samples.length,
    images: rows(images),
    labels: rows(labels),
    ...(weights === undefined ? {} : { weights: rows(weights) }),
  };
}

/** The numbers of so many samples, in an order that follows from a seed. */
export function orderOf(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, i) => permute(seed, ORDER, i, count));
}

/** A source in an order that follows from a seed. */
export function shuffled(source: ResidentSource, seed: number): ResidentSource {
  return pick(source, orderOf(source.count, seed));
}

/**
 * Two parts of a source, both in an order that follows from the seed.
 * @param share of the samples that tests get, between 0 and 1
 * @param classes their names, where labels are classes: each class is parted by itself, and has a sample in both parts
 * @throws OptionError for a share that leaves a part empty, or a class with one sample
 */
export function split(
  source: ResidentSource,
  share: number,
  seed: number,
  classes: readonly string[] | undefined,
  where: string,
): { readonly train: ResidentSource; readonly test: ResidentSource } {
  const { train, test } = parted(source, share, seed, classes, where);
  return { train: pick(source, train), test: pick(source, test) };
}

/**
 * A data set whose training part has given a share of its samples to `validation`, in the proportions of the classes: what a
 * training is judged by on its way.
 * @param seed which samples they are follows from it
 * @throws OptionError for a stream, a share that leaves a part empty, or a class with one sample
 * @example const data = withValidation(await loadDataset('mnist'), 0.1, 1);
 */
export function withValidation<D extends TrainingData>(
  data: D,
  share: number,
  seed: number,
): D & { readonly validation: ResidentSource } {
  const { train, name, classes, targets = 'classes' } = data;
  if (isStreamed(train)) {
    throw new OptionError('A stream is read as a whole.', {
      given: `${name}, train`,
      where: 'withValidation',
      remedy: 'define a stream for validation: data.validation',
    });
  }
  const parts = split(train, share, seed, targets === 'classes' ? classes : undefined, name);
  return { ...data, train: parts.train, validation: parts.test };
}

/** `split`, of the numbers of samples. @param source its labels are not read where there are no classes */
export function parted(
  source: { readonly count: number; readonly labels: ArrayLike<number> },
  share: number,
  seed: number,
  classes: readonly string[] | undefined,
  where: string,
): { readonly train: number[]; readonly test: number[] } {
  if (!(share > 0 && share < 1)) {
    throw new OptionError('A part of the samples is kept for tests.', {
      given: String(share),
      expected: 'more than 0 and less than 1',
      where: `${where}: split`,
    });
  }
  const order = orderOf(source.count, seed);
  const groups = new Map<number, number[]>();
  for (const sample of order) {
    const group = classes === undefined ? 0 : (source.labels[sample] ?? 0);
    const members = groups.get(group) ?? [];
    members.push(sample);
    groups.set(group, members);
  }
  const tests = new Set<number>();
  for (const [group, members] of groups) {
    if (members.length < 2) {
      throw new OptionError('There are too few samples to train and to test.', {
        given: classes === undefined ? `${members.length} samples` : `1 sample of ${classes[group]}`,
        expected: 'two or more',
        where,
        remedy: 'add samples, or keep the parts in folders or files of their own',
      });
    }
    const count = Math.min(members.length - 1, Math.max(1, Math.round(share * members.length)));
    for (const sample of members.slice(0, count)) tests.add(sample);
  }
  return {
    train: order.filter((sample) => !tests.has(sample)),
    test: order.filter((sample) => tests.has(sample)),
  };
}
