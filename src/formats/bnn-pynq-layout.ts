/** Where BNN-PYNQ's files have what, for its reader and its writer. */
import type { PixelEncoding } from '../run/pixels.ts';

/** CNV is one network; LFC stands for all that are dense on a binarized 28×28 image. */
export type Topology = 'CNV' | 'LFC';

/** How the accelerator computes a layer: so many neurons at once, so many synapses of each. */
export interface BnnPynqFolding {
  /** Neurons computed at once: files of a layer. */
  readonly pe: number;
  /** Synapses in a word, 1 to 64. */
  readonly simd: number;
}

/** Where the words of a layer are. */
export interface Fold extends BnnPynqFolding {
  readonly outputs: number;
  /** As stored: the pixels of LFC are padded to whole words. */
  readonly fanIn: number;
}

/** The published networks. */
export const CNV: readonly Fold[] = [
  { outputs: 64, fanIn: 27, simd: 3, pe: 16 },
  { outputs: 64, fanIn: 576, simd: 32, pe: 32 },
  { outputs: 128, fanIn: 576, simd: 32, pe: 16 },
  { outputs: 128, fanIn: 1152, simd: 32, pe: 16 },
  { outputs: 256, fanIn: 1152, simd: 32, pe: 4 },
  { outputs: 256, fanIn: 2304, simd: 32, pe: 1 },
  { outputs: 512, fanIn: 256, simd: 4, pe: 1 },
  { outputs: 512, fanIn: 512, simd: 8, pe: 1 },
  { outputs: 64, fanIn: 512, simd: 1, pe: 4 },
];

export const LFC: readonly Fold[] = [
  { outputs: 1024, fanIn: 832, simd: 64, pe: 32 },
  { outputs: 1024, fanIn: 1024, simd: 32, pe: 64 },
  { outputs: 1024, fanIn: 1024, simd: 64, pe: 32 },
  { outputs: 64, fanIn: 1024, simd: 8, pe: 16 },
];

/** The layers of CNV that are convolutions, and those that are pooled by 2×2. */
export const CNV_CONVOLUTIONS = 6;
export const CNV_POOLED: readonly number[] = [1, 3];
export const CNV_IMAGE = [32, 32, 3] as const;
export const LFC_IMAGE = [28, 28, 1] as const;
export const LFC_PIXELS = 28 * 28;
/** Outputs make one word. */
export const MOST_UNITS = 64;
export const MOST_SYNAPSES = 64;
/** Thresholds beyond any popcount mean "always" and "never"; f32 holds what is made of these. */
export const BEYOND = 2 ** 20;

/** clamp(⌊(2x/255 − 1)·128 + ½⌋, −128, 127): no byte comes near a half, so the order of the arithmetic is free. */
export const CNV_ENCODING: PixelEncoding = {
  scale: [256 / 255],
  shift: [-128],
  round: true,
  minimum: -128,
  maximum: 127,
};
/** +1 where 2x/255 − 1 ≥ 0, else −1: 2x − 255 is odd. */
export const LFC_ENCODING: PixelEncoding = { scale: [2], shift: [-255], minimum: -1, maximum: 1 };

export function weightFile(layer: number, element: number): string {
  return `${layer}-${element}-weights.bin`;
}

export function thresholdFile(layer: number, element: number): string {
  return `${layer}-${element}-thres.bin`;
}

/** Where a weight's bit is in its file; 1 is +1. */
export function addressOf(
  { fanIn, simd, pe }: Fold,
  neuron: number,
  synapse: number,
): { byte: number; bit: number } {
  const word = Math.floor(neuron / pe) * Math.ceil(fanIn / simd) + Math.floor(synapse / simd);
  const within = synapse % simd;
  return { byte: 8 * word + (within >> 3), bit: within & 7 };
}
