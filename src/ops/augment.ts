/** Samples of a batch changed at random, and mixed with each other. */
import { ShapeError } from '../errors.ts';
import {
  constantsOf,
  describe,
  type Filling,
  fillFrame,
  type ProgramBuilder,
  type Tensor,
} from '../gpu/index.ts';
import { changeFrame, drawNumbers, drawPairs, mixRows, mixTargets, moveFrame } from '../kernels/augment.ts';
import { TARGET_KINDS } from '../kernels/loss.ts';
import { feistelHalfBits } from '../numerics/random.ts';
import { assertFloats } from './checks.ts';
import { assertState, channelConstants } from './data.ts';

/** Where in an epoch a batch is, and whose numbers are drawn. */
export interface DrawOptions {
  /** u32 [8]: batch `state.batch` of an epoch in its own order. */
  readonly state: Tensor;
  /** Of an epoch. */
  readonly samples: number;
  /** Of the augmentation among those of the training, from 1. */
  readonly place: number;
}

/** What a value is of: by channel, or one number for all. */
export interface ValueRange {
  /** What bytes 0 are, or reals 0. */
  readonly fill: readonly number[];
  readonly middle: readonly number[];
  /** From the least to the most. */
  readonly span: readonly number[];
}

function assertImages(x: Tensor, where: string): void {
  if (x.dtype === 'f32' && x.shape.length === 4) return;
  throw new ShapeError('What is moved and changed are images.', {
    given: describe(x.shape, x.dtype),
    expected: '[B, height, width, channels] f32',
    where,
  });
}

/**
 * Images with every pixel from another place, or every value another one.
 * @param x f32 [B, H, W, C]
 * @param options.filling `taken_from` of a move, or `changed`
 * @returns f32 of the same shape
 * @throws ShapeError
 */
export function augmentImages(
  b: ProgramBuilder,
  x: Tensor,
  options: DrawOptions & {
    readonly stage: 'move' | 'change';
    readonly filling: Filling;
    readonly range: ValueRange;
  },
): Tensor {
  const { state, samples, place, stage, filling, range } = options;
  assertImages(x, filling.name);
  assertState(state, filling.name);
  const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
  const draws = b.transient('numbers of an augmentation', [batch, 4], 'f32');
  b.dispatch(
    drawNumbers,
    { state, draws },
    { SAMPLES: samples, BATCH: batch, HALF_BITS: feistelHalfBits(samples), PLACE: place },
  );
  const y = b.transient('augmented batch', x.shape, 'f32');
  const image = { BATCH: batch, HEIGHT: height, WIDTH: width, CHANNELS: channels };
  if (stage === 'move') {
    const fillings = { move: filling };
    const constants = { ...constantsOf(fillings), ...image, ...channelConstants('FILL', range.fill) };
    b.dispatch(fillFrame(moveFrame, fillings), { x, draws, y }, constants);
  } else {
    const fillings = { change: filling };
    b.dispatch(
      fillFrame(changeFrame, fillings),
      { x, draws, y },
      {
        ...constantsOf(fillings),
        ...image,
        ...channelConstants('MIDDLE', range.middle),
        ...channelConstants('SPAN', range.span),
      },
    );
  }
  return y;
}

/**
 * Draws with which other row of a batch each is mixed, and the share of itself that it keeps.
 * @param options.alpha the share is of Beta(alpha, alpha); more than 0, 1 at most
 * @returns u32 [B, 2]: the row, and the bits of the share
 * @throws ShapeError
 */
export function pairRows(
  b: ProgramBuilder,
  batch: number,
  { state, samples, place, alpha }: DrawOptions & { readonly alpha: number },
): Tensor {
  assertState(state, 'pairRows');
  const pairs = b.transient('pairs of rows', [batch, 2], 'u32');
  b.dispatch(
    drawPairs,
    { state, pairs },
    { SAMPLES: samples, BATCH: batch, HALF_BITS: feistelHalfBits(batch), ALPHA: alpha, PLACE: place },
  );
  return pairs;
}

/**
 * Rows mixed with their other ones.
 * @param x f32 [B, ...]
 * @param pairs of `pairRows`
 * @returns f32 of the same shape
 * @throws ShapeError
 */
export function mixedRows(b: ProgramBuilder, x: Tensor, pairs: Tensor): Tensor {
  const [batch = 1] = x.shape;
  assertFloats(x, x.shape, 'mixedRows');
  const y = b.transient('mixed batch', x.shape, 'f32');
  b.dispatch(mixRows, { x, pairs, y }, { BATCH: batch, LENGTH: x.size / batch });
  return y;
}

/**
 * Targets as shares of the outputs.
 * @param targets classes u32 [B], reals f32 [B, outputs] or bits [B, outputs + 1], as `loss` takes them
 * @param options.outputs of the network
 * @param options.pairs of `pairRows`, where samples are mixed
 * @param options.smoothing share that goes to all outputs alike; of bits, to both of their values
 * @returns f32 [B, outputs]; the first number of a row without sample is the bits 0xffffffff
 * @throws ShapeError
 */
export function sharedTargets(
  b: ProgramBuilder,
  targets: Tensor,
  options: { readonly outputs: number; readonly pairs?: Tensor | undefined; readonly smoothing: number },
): Tensor {
  const { outputs, pairs, smoothing } = options;
  const [batch = 1] = targets.shape;
  const kind = targets.dtype === 'u32' ? 'classes' : targets.dtype === 'bits' ? 'bits' : 'reals';
  const mixed = b.transient('shares of the outputs', [batch, outputs], 'f32');
  b.dispatch(
    mixTargets,
    { targets, pairs: pairs ?? targets, mixed },
    {
      BATCH: batch,
      OUTPUTS: outputs,
      TARGETS: TARGET_KINDS[kind],
      PAIRED: pairs === undefined ? 0 : 1,
      SMOOTHING: smoothing,
    },
  );
  return mixed;
}
