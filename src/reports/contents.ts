/** What a data set holds: counts, means, and a sheet of samples. */
import { encode } from 'fast-png';
import { dtypeOf } from '../data/source.ts';
import { isStreamed, type ResidentSource, sizeOf, type TrainingData } from '../index.ts';
import { digestOfBytes } from '../numerics/digest.ts';

/** What one part of a data set holds. */
export interface PartContents {
  readonly count: number;
  /** Samples of each class; of bits, samples for which each holds. Absent of numbers, and of streams that do not say it. */
  readonly perClass?: readonly number[];
  /** Of the targets that are numbers. */
  readonly targets?: readonly { readonly mean: number; readonly sd: number }[];
  /** By channel, or by column; as they are before they are normalised. */
  readonly channels?: readonly {
    readonly mean: number;
    readonly sd: number;
    readonly least: number;
    readonly most: number;
  }[];
}

export interface Contents {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: 'bytes' | 'reals';
  readonly targets: 'classes' | 'bits' | 'reals';
  readonly classes: readonly string[];
  readonly train: PartContents;
  readonly test?: PartContents;
  /** Absent of streams. */
  readonly copies?: Copies;
}

/** Samples that are there more than once, to the bit. */
export interface Copies {
  /** Training samples that an earlier one is already. */
  readonly training: number;
  /** Test samples that are training samples, too: they measure what is remembered. */
  readonly inTest: number;
  /** Those of both that have another target than the one before: no network can learn both. */
  readonly otherTargets: number;
  /** The first of them, and what each is a copy of: files of pictures, or numbers of samples. */
  readonly first: readonly { readonly sample: string; readonly of: string; readonly otherTarget: boolean }[];
}

/** Copies that are named. */
const MOST_COPIES = 100;

export function contentsOf(data: TrainingData): Contents {
  const { name, image, classes, targets = 'classes', train, test } = data;
  return {
    ...{ name, shape: image, kind: dtypeOf(train) === 'u8' ? 'bytes' : 'reals', targets, classes },
    train: partOf(data, train),
    ...(test === undefined ? {} : { test: partOf(data, test) }),
    ...(isStreamed(train) || (test !== undefined && isStreamed(test))
      ? {}
      : { copies: copiesIn(data, train, test) }),
  };
}

function copiesIn(
  { image, targets, classes }: TrainingData,
  train: ResidentSource,
  test: ResidentSource | undefined,
): Copies {
  const width = targets === undefined || targets === 'classes' ? 1 : classes.length;
  const targetOf = ({ labels }: ResidentSource, i: number) =>
    labels.subarray(i * width, (i + 1) * width).join();
  const size = sizeOf(image);
  const digests = ({ images, count }: ResidentSource) =>
    Array.from({ length: count }, (_, i) => {
      const { buffer, byteOffset, byteLength } = images.subarray(i * size, (i + 1) * size);
      return digestOfBytes(new Uint8Array(buffer, byteOffset, byteLength));
    });
  const known = new Map<string, number>();
  const first: Copies['first'][number][] = [];
  const nameOf = (source: ResidentSource, i: number, part: string) =>
    source.names?.[i] ?? `${part} sample ${i}`;
  let otherTargets = 0;
  const found = (source: ResidentSource, i: number, part: string, before: number) => {
    const otherTarget = targetOf(train, before) !== targetOf(source, i);
    if (otherTarget) otherTargets += 1;
    const copy = { sample: nameOf(source, i, part), of: nameOf(train, before, 'training'), otherTarget };
    // Those that contradict each other before those that don't.
    if (first.length < MOST_COPIES) first[otherTarget ? 'unshift' : 'push'](copy);
    return 1;
  };
  let [training, inTest] = [0, 0];
  for (const [i, digest] of digests(train).entries()) {
    const before = known.get(digest);
    if (before === undefined) known.set(digest, i);
    else training += found(train, i, 'training', before);
  }
  for (const [i, digest] of (test === undefined ? [] : digests(test)).entries()) {
    const before = known.get(digest);
    if (test !== undefined && before !== undefined) inTest += found(test, i, 'test', before);
  }
  return { training, inTest, otherTargets, first };
}

function partOf(
  { image, classes, targets = 'classes' }: TrainingData,
  source: TrainingData['train'],
): PartContents {
  const { count } = source;
  if (isStreamed(source))
    return { count, ...(source.perClass === undefined ? {} : { perClass: source.perClass }) };
  const { images, labels } = source;
  const channels = columnsOf(images, image.at(-1) ?? 1);
  if (targets === 'reals') return { count, channels, targets: columnsOf(labels, classes.length) };
  const perClass = new Array<number>(classes.length).fill(0);
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] ?? 0;
    const place = targets === 'bits' ? i % classes.length : label;
    perClass[place] = (perClass[place] ?? 0) + (targets === 'bits' ? label : 1);
  }
  return { count, channels, perClass };
}

function columnsOf(values: ArrayLike<number>, width: number) {
  const count = Math.max(1, values.length / width);
  return Array.from({ length: width }, (_, column) => {
    let [sum, least, most] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = column; i < values.length; i += width) {
      const value = values[i] ?? 0;
      sum += value;
      if (value < least) least = value;
      if (value > most) most = value;
    }
    const mean = sum / count;
    let squares = 0;
    for (let i = column; i < values.length; i += width) squares += ((values[i] ?? 0) - mean) ** 2;
    return { mean, sd: Math.sqrt(squares / count), least, most };
  });
}

/** Samples of a class that a sheet shows, and classes. */
const COLUMNS = 12;
const MOST_ROWS = 40;
const GAP = 2;
const PAPER = 255;

/**
 * A sheet of training pictures as PNG: a row for each class, in the order of the classes.
 * @returns nothing for what are no pictures in memory
 */
export function sheetOf(data: TrainingData): Uint8Array | undefined {
  const { image, train, classes, targets = 'classes' } = data;
  const [height = 0, width = 0, channels = 0, more] = image;
  if (isStreamed(train) || !(train.images instanceof Uint8Array) || more !== undefined) return undefined;
  if (channels !== 1 && channels !== 3) return undefined;
  const rows = (targets === 'classes' ? rowsOf(train, classes.length) : [firstOf(train)]).slice(0, MOST_ROWS);
  const [sheetWidth, sheetHeight] = [COLUMNS * (width + GAP) + GAP, rows.length * (height + GAP) + GAP];
  const sheet = new Uint8Array(sheetWidth * sheetHeight * channels).fill(PAPER);
  for (const [row, samples] of rows.entries()) {
    for (const [column, sample] of samples.entries()) {
      const [top, left] = [GAP + row * (height + GAP), GAP + column * (width + GAP)];
      for (let y = 0; y < height; y++) {
        const from = sample * sizeOf(image) + y * width * channels;
        const line = train.images.subarray(from, from + width * channels);
        sheet.set(line, ((top + y) * sheetWidth + left) * channels);
      }
    }
  }
  return encode({ width: sheetWidth, height: sheetHeight, data: sheet, channels, depth: 8 });
}

function rowsOf({ labels, count }: ResidentSource, classes: number): number[][] {
  const rows = Array.from({ length: classes }, (): number[] => []);
  for (let sample = 0; sample < count; sample++) {
    const row = rows[labels[sample] ?? 0];
    if (row !== undefined && row.length < COLUMNS) row.push(sample);
  }
  return rows;
}

function firstOf({ count }: ResidentSource): number[] {
  return Array.from({ length: Math.min(COLUMNS, count) }, (_, i) => i);
}
