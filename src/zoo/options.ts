/** What every ready-made model is told. */
import type { Shape } from '../gpu/index.ts';

/** Sizes of a ready-made model. */
export interface ModelOptions {
  /** [height, width, channels] of the images. */
  readonly input: Shape;
  /** How many classes it tells apart. */
  readonly classes: number;
}
