/** What changes a batch of samples at random while training: frames that augmentations fill, and mixing. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/augment.ts');
const library = () => import('../../shaders/library.ts');

type Image = Readonly<Record<'BATCH' | 'HEIGHT' | 'WIDTH' | 'CHANNELS', number>>;
const IMAGE = ['BATCH', 'HEIGHT', 'WIDTH', 'CHANNELS'] as const;
const pixels = ({ BATCH, HEIGHT, WIDTH }: Image) => BATCH * HEIGHT * WIDTH;

/** Four numbers in [0, 1) for each row of a batch: vec4f [BATCH]. */
export const drawNumbers = defineKernel({
  name: 'augment/draw',
  source: shaders,
  bindings: { state: 'read', draws: 'write' },
  constants: ['SAMPLES', 'BATCH', 'HALF_BITS', 'PLACE'],
  workgroups: ({ BATCH }) => [Math.ceil(BATCH / 64), 1, 1],
});

/** f32 [BATCH, HEIGHT, WIDTH, CHANNELS] with every pixel from another place: a frame. */
export const moveFrame = defineKernel({
  name: 'augment/move',
  source: shaders,
  library,
  bindings: { x: 'read', draws: 'read', y: 'write' },
  constants: [...IMAGE, 'FILL_0', 'FILL_1', 'FILL_2', 'FILL_3'],
  workgroups: (c) => linearWorkgroups(pixels(c), 64),
});

/** f32 [BATCH, HEIGHT, WIDTH, CHANNELS] with every value changed where it is: a frame. */
export const changeFrame = defineKernel({
  name: 'augment/change',
  source: shaders,
  library,
  bindings: { x: 'read', draws: 'read', y: 'write' },
  constants: [
    ...IMAGE,
    ...(['MIDDLE_0', 'MIDDLE_1', 'MIDDLE_2', 'MIDDLE_3'] as const),
    ...(['SPAN_0', 'SPAN_1', 'SPAN_2', 'SPAN_3'] as const),
  ],
  workgroups: (c) => linearWorkgroups(pixels(c) * c.CHANNELS, 64),
});

/** With which row each is mixed, and what share of itself it keeps: vec2u [BATCH]. */
export const drawPairs = defineKernel({
  name: 'augment/pairs',
  source: shaders,
  bindings: { state: 'read', pairs: 'write' },
  constants: ['SAMPLES', 'BATCH', 'HALF_BITS', 'ALPHA', 'PLACE'],
  workgroups: ({ BATCH }) => [Math.ceil(BATCH / 64), 1, 1],
});

/** f32 [BATCH, LENGTH], each row mixed with its other one. */
export const mixRows = defineKernel({
  name: 'augment/mix',
  source: shaders,
  bindings: { x: 'read', pairs: 'read', y: 'write' },
  constants: ['BATCH', 'LENGTH'],
  workgroups: ({ BATCH, LENGTH }) => linearWorkgroups(BATCH * LENGTH, 64),
});

/** Targets as f32 [BATCH, OUTPUTS], mixed and smoothed. */
export const mixTargets = defineKernel({
  name: 'augment/targets',
  source: shaders,
  bindings: { targets: 'read', pairs: 'read', mixed: 'write' },
  constants: ['BATCH', 'OUTPUTS', 'TARGETS', 'PAIRED', 'SMOOTHING'],
  workgroups: ({ BATCH, OUTPUTS }) => linearWorkgroups(BATCH * OUTPUTS, 64),
});
