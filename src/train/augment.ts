/** The augmentations of a training: in which order they are done, and on what. Loaded where there are some. */
import { dtypeOf } from '../data/source.ts';
import { OptionError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import type { Augmentation } from '../methods/augmentation.ts';
import { type AugmentationLike, resolveAugmentation } from '../methods/augmentations/index.ts';
import type { MethodNote } from '../methods/index.ts';
import { augmentImages, mixedRows, pairRows, sharedTargets, type ValueRange } from '../ops/augment.ts';
import type { Gathered } from '../ops/data.ts';
import type { CheckedData } from './data.ts';

/** What is done to the samples of every step. */
export interface Augmentations {
  /** As checkpoints have it. */
  readonly note: readonly MethodNote[] | { readonly pad: number; readonly flip: boolean };
  /** Done while samples are picked. */
  readonly picked: { readonly pad: number; readonly flip: boolean } | undefined;
  /**
   * Changes samples after they were picked. @param x f32 [B, ...], not yet by channel where `isLate`
   * @returns f32 of the same shape
   */
  change(b: ProgramBuilder, x: Tensor, state: Tensor, isLate: boolean): Tensor;
  /** Mixes samples and targets. @returns what the loss compares outputs with; `shares` where it is a share of each class */
  mix(
    b: ProgramBuilder,
    batch: Gathered,
    state: Tensor,
    outputs: number,
  ): Gathered & { readonly shares: boolean };
}

const WHERE = 'Trainer.create: augment';

/**
 * @throws OptionError for what is unknown or out of its bounds, for what is there twice and can't be, and for what the samples or
 *   targets are not
 */
export function resolveAugmentations(
  given: readonly AugmentationLike[],
  data: CheckedData,
): Augmentations | undefined {
  if (!Array.isArray(given)) {
    throw new OptionError('Augmentations are a list.', {
      given: typeof given === 'object' ? JSON.stringify(given) : String(given),
      expected: "['crop', 'flip', { name: 'rotate', degrees: 5 }]",
      where: WHERE,
    });
  }
  const all = given.map((one) => resolveAugmentation(one, WHERE));
  if (all.length === 0) return undefined;
  assertFitting(all, data);
  const numberOf = (name: string, parameter: string): number | undefined =>
    all.find((one) => one.name === name)?.parameters[parameter];
  const [pad, alpha, smoothing] = [
    numberOf('crop', 'pad'),
    numberOf('mixup', 'alpha'),
    numberOf('labelSmoothing', 'share'),
  ];
  const isFlipped = all.some(({ name }) => name === 'flip');
  const isPicked = pad !== undefined || isFlipped;
  const picked = isPicked ? { pad: pad ?? 0, flip: isFlipped } : undefined;
  const samples = data.train.count;
  const range = (isLate: boolean) => rangeOf(data, isLate);
  return {
    // As checkpoints had it when there was nothing else.
    note: picked !== undefined && all.every(isPick) ? picked : all.map((one) => one.toJSON()),
    picked,
    change(b, x, state, isLate) {
      return all.reduce((images, { filling, definition: { stage } }, i) => {
        if (filling === undefined || (stage !== 'move' && stage !== 'change')) return images;
        const own = { state, samples, place: i + 1, stage, filling, range: range(isLate) };
        return augmentImages(b, images, own);
      }, x);
    },
    mix(b, batch, state, outputs) {
      const { x, targets, weights } = batch;
      if (alpha === undefined && smoothing === undefined) return { ...batch, shares: false };
      const place = 1 + all.findIndex(({ name }) => name === 'mixup');
      const pairs =
        alpha === undefined ? undefined : pairRows(b, x.shape[0] ?? 1, { state, samples, place, alpha });
      const mixed = (tensor: Tensor) => (pairs === undefined ? tensor : mixedRows(b, tensor, pairs));
      return {
        x: mixed(x),
        targets: sharedTargets(b, targets, { outputs, pairs, smoothing: smoothing ?? 0 }),
        weights: weights === undefined ? undefined : mixed(weights),
        shares: targets.dtype === 'u32',
      };
    },
  };
}

function isPick({ definition }: Augmentation): boolean {
  return definition.stage === 'pick';
}

function assertFitting(all: readonly Augmentation[], { image, targets, name: set }: CheckedData): void {
  for (const [i, { name, definition }] of all.entries()) {
    const { stage } = definition;
    const isImage = stage === 'pick' || stage === 'move' || stage === 'change';
    if (isImage && image.length !== 3) {
      throw new OptionError('What is moved and changed are images.', {
        given: `${name}, and samples of ${describe(image)}`,
        expected: '[height, width, channels]',
        where: WHERE,
        remedy: `leave ${name} away`,
      });
    }
    if (stage === 'targets' && targets === 'reals') {
      throw new OptionError('Only classes and bits are smoothed.', {
        given: `${name}, and ${set}, whose targets are ${targets}`,
        where: WHERE,
        remedy: `leave ${name} away`,
      });
    }
    const isSingle = stage !== 'move' && stage !== 'change';
    if (isSingle && all.slice(0, i).some((other) => other.name === name)) {
      throw new OptionError('This augmentation is done once.', { given: `${name}, twice`, where: WHERE });
    }
  }
}

/** What values are of: bytes from 0 to 255, or reals about 0, as they are normalised. */
function rangeOf({ train, normalise }: CheckedData, isLate: boolean): ValueRange {
  const [middle, span] = dtypeOf(train) === 'u8' ? [127.5, 255] : [0, 1];
  const { scale, shift } = isLate ? { scale: [1], shift: [0] } : normalise;
  const channels = Math.max(scale.length, shift.length);
  const by = (value: number, isMoved = true) =>
    Array.from(
      { length: channels },
      (_, c) => value * (scale[c % scale.length] ?? 1) + (isMoved ? (shift[c % shift.length] ?? 0) : 0),
    );
  return { fill: by(0), middle: by(middle), span: by(span, false) };
}
