/** Batches out of a data set in GPU memory, whole or a window of it, and the state of a training run. */
import { listed, OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Shape, sizeOf, type Tensor } from '../gpu/index.ts';
import { advance, batchRows, gather, gatherFlat, nonFinite, pickTargets } from '../kernels/data.ts';
import { feistelHalfBits } from '../numerics/random.ts';
import { affine } from './inference.ts';

/** Words of a train state (`TrainState` of `shaders/lib/state.wgsl`). */
export const STATE_WORDS = 8;

/** Where a training run stands. */
export interface TrainState {
  /** Optimizer steps done. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Set by the GPU when a loss was not finite; nothing that outlives a step changes from then on. */
  readonly halted: boolean;
  /** What the order of samples and everything random follows from. */
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

/** Which samples of a resident data set make a batch, and how bytes become numbers. */
export interface GatherOptions {
  /** u8 or f32 [N, ...shape of a sample]; of a window, [slots, slot, ...shape] as [slots × slot, ...shape]. */
  readonly images: Tensor;
  /** Classes: u32 [N]. Bits: u8 [N, outputs], 0 or 1. Reals: f32 [N, outputs]. */
  readonly labels: Tensor;
  /** f32 [N]: weights of samples, where they have some. */
  readonly weights?: Tensor | undefined;
  /** u32 [8]. */
  readonly state: Tensor;
  /** Rows of the batch. */
  readonly batch: number;
  /**
   * The tensors hold some batches of more samples: batch i lies at slot i modulo `slots`, its rows in their order. Each slot has
   * `slot` places, `batch` at least.
   */
  readonly window?: { readonly samples: number; readonly slots: number; readonly slot: number } | undefined;
  /** Take the epoch's own random order; data order otherwise. */
  readonly shuffle: boolean;
  /** One number for all channels, or one for each: value v becomes v * scale + shift, in f32. Absent: 1 and 0. */
  readonly scale?: readonly number[];
  /** Added after the scale; see there. */
  readonly shift?: readonly number[];
  /** Scale and shift as f32 [C], for more than four channels that differ. */
  readonly affine?: { readonly scale: Tensor; readonly shift: Tensor };
  /** What is done to the picked samples, f32 [B, ...], before they are normalised by channel where `isLate`. */
  readonly change?: ((b: ProgramBuilder, x: Tensor, state: Tensor, isLate: boolean) => Tensor) | undefined;
  /** Of images [H, W, C]: pad by `pad` zeros on each side, crop at random to the old size, then mirror half of the images. */
  readonly augment?: { readonly pad: number; readonly flip: boolean };
}

/** One batch. */
export interface Gathered {
  /** f32 [B, ...shape of a sample]. */
  readonly x: Tensor;
  /**
   * Classes: u32 [B]; reals: f32 [B, outputs]; rows without sample are 0xffffffff. Bits: [B, outputs + 1], where the last bit
   * says that there is no sample.
   */
  readonly targets: Tensor;
  /** f32 [B]. */
  readonly weights: Tensor | undefined;
}

/**
 * Batch number `state.batch` of epoch `state.epoch`: sample `permute(seed, epoch, batch * B + row, N)` in each row
 * (see `src/numerics/random.ts`), or sample `batch * B + row` without shuffling. Rows past the end of the data are 0
 * and have no target, which `loss` ignores.
 * @throws ShapeError, OptionError
 */
export function gatherBatch(b: ProgramBuilder, options: GatherOptions): Gathered {
  const { images, labels, weights, state, batch, window, augment } = options;
  const where = 'gatherBatch';
  assertState(state, where);
  const [places = 0, ...shape] = images.shape;
  const samples = window?.samples ?? places;
  const reals = images.dtype === 'f32';
  if (!(reals || images.dtype === 'u8') || shape.length === 0) {
    throw new ShapeError('Samples are bytes or reals, the channels last.', {
      given: `${images.label}: ${describe(images.shape, images.dtype)}`,
      expected: '[N, ..., C] u8 or f32',
      where,
    });
  }
  const isClass = labels.dtype === 'u32';
  const rank = isClass ? 1 : 2;
  if (
    !['u32', 'u8', 'f32'].includes(labels.dtype) ||
    labels.shape.length !== rank ||
    labels.shape[0] !== places
  ) {
    throw new ShapeError('There is one target for every sample.', {
      given: `${labels.label}: ${describe(labels.shape, labels.dtype)}`,
      expected: `[${places}] u32, [${places}, outputs] u8 or [${places}, outputs] f32`,
      where,
    });
  }
  if (weights !== undefined && (weights.dtype !== 'f32' || weights.shape.join() !== `${places}`)) {
    throw new ShapeError('There is one weight for every sample.', {
      given: `${weights.label}: ${describe(weights.shape, weights.dtype)}`,
      expected: `[${places}] f32`,
      where,
    });
  }
  if (!Number.isInteger(batch) || batch < 1) {
    throw new OptionError('A batch has a positive number of rows.', { given: `batch = ${batch}`, where });
  }
  if (window !== undefined && (window.slot < batch || window.slots * window.slot !== places)) {
    throw new ShapeError('A window holds whole batches.', {
      given: `${places} places, ${window.slots} slots of ${window.slot}`,
      expected: `slots of ${batch} places or more`,
      where,
    });
  }
  const pad = augment?.pad ?? 0;
  if (!Number.isInteger(pad) || pad < 0 || pad > 0x7fff) {
    throw new OptionError('An image is padded by a whole number of pixels.', {
      given: `augment.pad = ${pad}`,
      expected: '0 to 32767',
      where,
    });
  }
  if (augment !== undefined && shape.length !== 3) {
    throw new OptionError('What is cropped and mirrored are images.', {
      given: `augment, and samples of ${describe(shape)}`,
      expected: '[height, width, channels]',
      where,
      remedy: 'leave augment away',
    });
  }
  const channels = shape.at(-1) ?? 1;
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
  const classes = b.transient('batch labels', [isClass ? batch : 1], 'u32');
  const x = b.transient('batch', [batch, ...shape], 'f32');
  b.dispatch(
    batchRows,
    // What isn't there is bound to something that is only read.
    { labels: isClass ? labels : state, state, rows, rowLabels: classes },
    {
      SAMPLES: samples,
      BATCH: batch,
      SHUFFLE: options.shuffle ? 1 : 0,
      HALF_BITS: feistelHalfBits(samples),
      PAD: pad,
      AUGMENT: augment === undefined ? 0 : 1,
      FLIP: augment?.flip ? 1 : 0,
      SLOTS: window?.slots ?? 0,
      SLOT: window?.slot ?? 0,
      CLASSES: isClass ? 1 : 0,
    },
  );
  const size = sizeOf(shape);
  const alike = late || (scales.length === 1 && shifts.length === 1);
  if (augment === undefined && !reals && size % 4 === 0 && (channels <= 4 || alike)) {
    b.dispatch(
      gatherFlat,
      { images, rows, x },
      { BATCH: batch, WORDS: size / 4, CHANNELS: channels, ...normalisation },
    );
  } else {
    const [height = 1, width = 1] = shape.length === 3 ? shape : [1, size / channels];
    // Where all channels are alike, each is a pixel of its own, and has an invocation.
    const grid =
      augment === undefined && alike
        ? { HEIGHT: 1, WIDTH: size, CHANNELS: 1 }
        : { HEIGHT: height, WIDTH: width, CHANNELS: channels };
    b.dispatch(
      gather,
      { images, rows, x },
      { BATCH: batch, ...grid, PAD: pad, REALS: reals ? 1 : 0, ...normalisation },
    );
  }
  const pick = (label: string, values: Tensor, length: number, shape: Shape) => {
    const isByte = values.dtype === 'u8';
    const picked = b.transient(label, shape, isByte ? 'bits' : 'f32');
    b.dispatch(
      pickTargets,
      { values, rows, picked },
      { BATCH: batch, LENGTH: length, BYTES: isByte ? 1 : 0 },
    );
    return picked;
  };
  const outputs = labels.shape[1] ?? 1;
  const changed = options.change?.(b, x, state, late) ?? x;
  return {
    x: late && options.affine !== undefined ? affine(b, changed, options.affine) : changed,
    targets: isClass
      ? classes
      : pick('batch targets', labels, outputs, [batch, labels.dtype === 'u8' ? outputs + 1 : outputs]),
    weights: weights === undefined ? undefined : pick('batch weights', weights, 1, [batch]),
  };
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
export function channelConstants<P extends string>(
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
