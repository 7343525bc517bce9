/** What every ready-made model is told, checked. */
import type { Shape } from '../gpu/index.ts';
import { assertKnownOptions } from '../options.ts';

/** Sizes of a ready-made model. */
export interface ModelOptions {
  /** [height, width, channels] of the images. */
  readonly input: Shape;
  /** How many classes it tells apart. */
  readonly classes: number;
}

/**
 * What a model is told, if it takes no other options than these.
 * @param own names of the sizes that it takes beside those of every model
 */
export function told<O extends ModelOptions>(
  model: string,
  options: O,
  ...own: readonly (keyof O & string)[]
): O {
  assertKnownOptions(options, ['input', 'classes', ...own], model);
  return options;
}
