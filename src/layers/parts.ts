/** What layers need only where their options ask for it. Who makes a layer hands it in, so that pages carry what they use. */
import type { Quantizer, QuantizerLike } from '../methods/index.ts';
import type * as Rotation from '../ops/rotation.ts';
import type * as Groups from './groups.ts';

export interface LayerParts {
  /** The quantizer that is meant: an object, or the name of one that is known here. @throws OptionError for another name */
  quantizer(given: QuantizerLike, where: string): Quantizer;
  /** Their names. */
  readonly quantizers: readonly string[];
  /** What weights with a `kernelRotation` need. */
  readonly rotation: typeof Rotation | undefined;
  /** What weights with a `groupScale` need. */
  readonly groups: typeof Groups | undefined;
}
