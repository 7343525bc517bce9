/** What quantizers with a window of half width `clip` share: the gradient passes where |x| <= clip. */
import wgsl from '../../../shaders/methods/quantizers/window.wgsl';

interface Clip {
  readonly clip: number;
}

export const WINDOW = {
  parameters: { clip: { default: 1, above: 0, says: 'half width of the window' } },
  wgsl,
  gradient: (x: number, { clip }: Clip) => (Math.abs(x) <= clip ? 1 : 0),
  surrogate: (x: number, { clip }: Clip) => Math.max(-clip, Math.min(clip, x)),
  window: ({ clip }: Clip) => clip,
} as const;
