/** Ready-made models, by function and by name. */
import type { Model } from '../graph/index.ts';
import { unknownName } from '../options.ts';
import { binarynet, cnn, mlp } from './classic.ts';
import { cnv, lfc, sfc, tfc } from './finn.ts';
import type { ModelOptions } from './options.ts';

export { binarynet, cnn, cnv, lfc, type ModelOptions, mlp, sfc, tfc };

const MODELS = { mlp, cnn, binarynet, cnv, lfc, sfc, tfc } as const;

/** The name of a ready-made model. */
export type ModelName = keyof typeof MODELS;
/** Names of the ready-made models. */
export const MODEL_NAMES = /* @__PURE__ */ Object.keys(MODELS) as readonly ModelName[];

/**
 * A ready-made model by name. @throws OptionError for an unknown name, listing the known ones
 * @example
 * ```ts
 * import { MODEL_NAMES, modelByName } from 'webgpu-bnn';
 *
 * for (const name of MODEL_NAMES) console.log(name);
 * modelByName('cnn', { input: [28, 28, 1], classes: 10 });
 * ```
 */
export function modelByName(name: string, options: ModelOptions): Model {
  if (!Object.hasOwn(MODELS, name)) throw unknownName('model', name, MODEL_NAMES, 'modelByName');
  return MODELS[name as ModelName](options);
}
