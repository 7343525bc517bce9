/** What every ready-made model is told. */
import type { Shape } from '../gpu/index.ts';

export interface ModelOptions {
  /** [height, width, channels] of the images. */
  readonly input: Shape;
  readonly classes: number;
}
