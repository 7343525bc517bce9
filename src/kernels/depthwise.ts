/**
 * Binary convolutions of each channel with one filter of its own, 32 channels at once: signs that differ are counted in
 * numbers that lie across words, by carry-save addition. They take what `canCountChannels` says.
 */
import { defineKernel, linearWorkgroups, wordsFor } from '../gpu/index.ts';
import { type ConvConstants, WINDOWS } from './conv.ts';
import { CLAMP, EPILOGUE, OPTIONAL } from './fused.ts';

const shaders = () => import('../../shaders/others.ts');

/** The most taps that six bits count. */
const MOST_TAPS = 63;

/** Whether each channel has exactly one filter, of few enough taps. */
export function canCountChannels(c: ConvConstants): boolean {
  return (
    c.GROUPS === c.CHANNELS && c.OUT_CHANNELS === c.CHANNELS && c.KERNEL_HEIGHT * c.KERNEL_WIDTH <= MOST_TAPS
  );
}

const outputWords = (c: ConvConstants) => c.BATCH * c.OUT_HEIGHT * c.OUT_WIDTH * wordsFor(c.CHANNELS);

/** bits * filters side by side to i32 or f32. */
export const depthwiseForward = defineKernel({
  name: 'conv/depthwise_forward',
  source: shaders,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: [...WINDOWS, 'INTEGER'],
  repeats: true,
  workgroups: (c) => linearWorkgroups(outputWords(c), 64),
});

/** bits * filters side by side to finished f32. */
export const depthwiseReal = defineKernel({
  name: 'conv/depthwise_real',
  source: shaders,
  bindings: {
    a: 'read',
    w: 'read',
    ...EPILOGUE,
    out: 'write',
  },
  constants: [...WINDOWS, ...CLAMP, ...OPTIONAL],
  workgroups: (c) => linearWorkgroups(outputWords(c), 64),
});

/** bits * filters side by side to bits. */
export const depthwiseSigns = defineKernel({
  name: 'conv/depthwise_signs',
  source: shaders,
  bindings: { a: 'read', w: 'read', limits: 'read', bits: 'write' },
  constants: WINDOWS,
  workgroups: (c) => linearWorkgroups(outputWords(c), 64),
});

/** bits [CHANNELS, TAPS, 1] to words [TAPS, ceil(CHANNELS / 32)]: filters side by side. */
export const depthwiseWords = defineKernel({
  name: 'conv/depthwise_words',
  source: shaders,
  bindings: { w: 'read', out: 'write' },
  constants: ['CHANNELS', 'TAPS'],
  workgroups: ({ CHANNELS, TAPS }) => linearWorkgroups(TAPS * wordsFor(CHANNELS), 64),
});

/** Directions and thresholds, f32 [CHANNELS] each, to words [8, ceil(CHANNELS / 32)] that `depthwiseSigns` compares with. */
export const depthwiseLimits = defineKernel({
  name: 'conv/depthwise_limits',
  source: shaders,
  bindings: { direction: 'read', threshold: 'read', out: 'write' },
  constants: ['CHANNELS', 'TAPS', ...CLAMP],
  workgroups: ({ CHANNELS }) => linearWorkgroups(wordsFor(CHANNELS), 64),
});
