/** Batches out of a data set that stays in GPU memory as bytes, and the state of a training run. */
import { listed, OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, sizeOf, type Tensor } from '../gpu/index.ts';
import { advance, batchRows, gather, gatherFlat, nonFinite } from '../kernels/data.ts';
import { feistelHalfBits } from '../numerics/random.ts';
import { affine } from './inference.ts';

/** Words of a train state (`TrainState` of `shaders/lib/state.wgsl`). */
export const STATE_WORDS = 8;

/** Where a training run stands. */
export interface TrainState {
  /** Optimizer steps done. */
  readonly step: number;
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Set by the GPU when a loss was not finite; nothing that outlives a step changes from then on. */
  readonly halted: boolean;
  readonly seed: number;
}

/** The words of a state; what is left out is 0. */
export function encodeTrainState(state: Partial<TrainState>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(STATE_WORDS);
  const counts = {
    step: state.step ?? 0,
    epoch: state.epoch ?? 0,
    batch: state.batch ?? 0,
    seed: state.seed ?? 0,
  };
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw new OptionError('A train state is made of 32-bit counters.', {
        given: `${name} = ${value}`,
        expected: 'an integer from 0 to 2^32 - 1',
      });
    }
  }
  words.set([counts.step, counts.epoch, counts.batch, state.halted ? 1 : 0, counts.seed]);
  return words;
}

/** The inverse of `encodeTrainState`. @throws ShapeError for another length */
export function decodeTrainState(words: Uint32Array): TrainState {
  if (words.length !== STATE_WORDS) {
    throw new ShapeError('A train state has another length.', {
      given: `${words.length} words`,
      expected: `${STATE_WORDS} words`,
    });
  }
  const [step = 0, epoch = 0, batch = 0, halted = 0, seed = 0] = words;
  return { step, epoch, batch, halted: halted !== 0, seed };
}

/** @throws ShapeError unless `state` is a train state */
export function assertState(state: Tensor, where: string): void {
  if (state.dtype !== 'u32' || state.size !== STATE_WORDS) {
    throw new ShapeError("This tensor isn't a train state.", {
      given: `${state.label}: ${describe(state.shape, state.dtype)}`,
      expected: `[${STATE_WORDS}] u32`,
      where,
    });
  }
}

/**
 * Ends a training step; record it last. Unless the run is halted, step and batch go up by one.
 * @param state u32 [8]
 * @throws ShapeError
 */
export function advanceState(b: ProgramBuilder, state: Tensor): void {
  assertState(state, 'advanceState');
  b.dispatch(advance, { state }, {});
}

export interface GatherOptions {
  /** u8 [N, H, W, C]. */
  readonly images: Tensor;
  /** u8 [N]. */
  readonly labels: Tensor;
  /** u32 [8]. */
  readonly state: Tensor;
  /** Rows of the batch. */
  readonly batch: number;
  /** Take the epoch's own random order; data order otherwise. */
  readonly shuffle: boolean;
  /** One number for all channels, or one for each: byte v becomes v * scale + shift, in f32. Absent: 1 and 0. */
  readonly scale?: readonly number[];
  readonly shift?: readonly number[];
  /** Scale and shift as f32 [C], for more than four channels that differ. */
  readonly affine?: { readonly scale: Tensor; readonly shift: Tensor };
  /** Pad by `pad` bytes 0 on each side, crop at random to the old size, then mirror half of the images. */
  readonly augment?: { readonly pad: number; readonly flip: boolean };
}

/**
 * Batch number `state.batch` of epoch `state.epoch`: sample `permute(seed, epoch, batch * B + row, N)` in each row
 * (see `src/numerics/random.ts`), or sample `batch * B + row` without shuffling. Rows past the end of the data are 0
 * and labelled 0xffffffff, which `loss` ignores.
 * @returns x f32 [B, H, W, C] and labels u32 [B]
 * @throws ShapeError, OptionError
 */
export function gatherBatch(b: ProgramBuilder, options: GatherOptions): { x: Tensor; labels: Tensor } {
  const { images, labels, state, batch, augment } = options;
  const where = 'gatherBatch';
  assertState(state, where);
  const [samples = 0, height = 0, width = 0, channels = 0] = images.shape;
  if (images.dtype !== 'u8' || images.shape.length !== 4) {
    throw new ShapeError('Images are bytes in NHWC order.', {
      given: `${images.label}: ${describe(images.shape, images.dtype)}`,
      expected: '[N, H, W, C] u8',
      where,
    });
  }
  if (labels.dtype !== 'u8' || labels.shape.length !== 1 || labels.shape[0] !== samples) {
    throw new ShapeError('There is one label byte for every image.', {
      given: `${labels.label}: ${describe(labels.shape, labels.dtype)}`,
      expected: `[${samples}] u8`,
      where,
    });
  }
  if (!Number.isInteger(batch) || batch < 1) {
    throw new OptionError('A batch has a positive number of rows.', { given: `batch = ${batch}`, where });
  }
  const pad = augment?.pad ?? 0;
  if (!Number.isInteger(pad) || pad < 0 || pad > 0x7fff) {
    throw new OptionError('An image is padded by a whole number of pixels.', {
      given: `augment.pad = ${pad}`,
      expected: '0 to 32767',
      where,
    });
  }
  const scales = channelValues('scale', options.scale, 1, channels, where);
  const shifts = channelValues('shift', options.shift, 0, channels, where);
  // What differs between more than four channels is done after the bytes became reals.
  const late = channels > 4 && Math.max(scales.length, shifts.length) > 1;
  if (late && options.affine === undefined) {
    throw new OptionError('More than four channels are normalised by tensors.', {
      given: `${channels} channels, and no options.affine`,
      where,
    });
  }
  const normalisation = {
    ...channelConstants('SCALE', late ? [1] : scales),
    ...channelConstants('SHIFT', late ? [0] : shifts),
  };
  const rows = b.transient('batch rows', [batch, 4], 'u32');
  const rowLabels = b.transient('batch labels', [batch], 'u32');
  const x = b.transient('batch', [batch, height, width, channels], 'f32');
  b.dispatch(
    batchRows,
    { labels, state, rows, rowLabels },
    {
      SAMPLES: samples,
      BATCH: batch,
      SHUFFLE: options.shuffle ? 1 : 0,
      HALF_BITS: feistelHalfBits(samples),
      PAD: pad,
      AUGMENT: augment === undefined ? 0 : 1,
      FLIP: augment?.flip ? 1 : 0,
    },
  );
  const bytes = sizeOf([height, width, channels]);
  const periodic = channels <= 4 || late || (scales.length === 1 && shifts.length === 1);
  if (augment === undefined && bytes % 4 === 0 && periodic) {
    b.dispatch(
      gatherFlat,
      { images, rows, x },
      { BATCH: batch, WORDS: bytes / 4, CHANNELS: channels, ...normalisation },
    );
  } else {
    b.dispatch(
      gather,
      { images, rows, x },
      { BATCH: batch, HEIGHT: height, WIDTH: width, CHANNELS: channels, PAD: pad, ...normalisation },
    );
  }
  if (!late || options.affine === undefined) return { x, labels: rowLabels };
  return { x: affine(b, x, options.affine), labels: rowLabels };
}

/**
 * What normalises images, by channel.
 * @param values one number for all channels, or one for each; `missing` for all where there are none
 * @returns one number, or one for each channel
 * @throws OptionError for another number of them, and for what isn't finite
 */
export function channelValues(
  name: string,
  values: readonly number[] | undefined,
  missing: number,
  channels: number,
  where: string,
): readonly number[] {
  if (values === undefined) return [missing];
  const fits = Array.isArray(values) && [1, channels].includes(values.length);
  if (fits && values.every((value) => Number.isFinite(value))) return values;
  throw new OptionError('Images are normalised by one finite number for all channels, or one for each.', {
    given: `${name} = [${listed(Array.isArray(values) ? values : [values])}], ${channels} channels`,
    expected: channels === 1 ? '1 number' : `1 or ${channels} numbers`,
    where,
  });
}

/** Four constants that repeat with the channels: for 1 and 2 channels four neighbouring bytes hold several pixels. */
function channelConstants<P extends string>(
  prefix: P,
  values: readonly number[],
): Record<`${P}_${0 | 1 | 2 | 3}`, number> {
  const at = (lane: number) => values[lane % values.length] ?? 0;
  return {
    [`${prefix}_0`]: at(0),
    [`${prefix}_1`]: at(1),
    [`${prefix}_2`]: at(2),
    [`${prefix}_3`]: at(3),
  } as Record<`${P}_${0 | 1 | 2 | 3}`, number>;
}

/**
 * Notes whether any value is NaN or infinite: `found[place]` becomes 1 then, and stays what it is else.
 * @param x f32, any shape
 * @param found u32 [places]
 */
export function markNonFinite(builder: ProgramBuilder, x: Tensor, found: Tensor, place: number): void {
  if (x.dtype !== 'f32' || found.dtype !== 'u32' || !(place < found.size)) {
    throw new ShapeError('Reals and a place for what is found are expected.', {
      given: `${describe(x.shape, x.dtype)}, place ${place} of ${describe(found.shape, found.dtype)}`,
      where: x.label,
    });
  }
  builder.dispatch(nonFinite, { x, found }, { COUNT: x.size, PLACE: place });
}
