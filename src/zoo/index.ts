/** Ready-made models, by function and by name. */
import { OptionError } from '../errors.ts';
import type { Model } from '../graph/index.ts';
import { assertKnownOptions, unknownName } from '../options.ts';
import { binarynet, cnn, mlp } from './classic.ts';
import { cnv, lfc, sfc, tfc } from './finn.ts';
import type { ModelOptions } from './options.ts';
import { birealnet18, type QuickNetOptions, quicknet, type ResidualOptions, resnet20 } from './residual.ts';

export type { QuickNetOptions, ResidualOptions };
export { binarynet, birealnet18, cnn, cnv, lfc, type ModelOptions, mlp, quicknet, resnet20, sfc, tfc };

/** A model as it is listed. */
export interface ModelEntry {
  /** @throws ShapeError for images that it can't take */
  readonly make: (options: ModelOptions & Readonly<Record<string, unknown>>) => Model;
  /** What it is, and of which paper. */
  readonly about: string;
  /** Images that it was made for. */
  readonly input: readonly [height: number, width: number, channels: number];
  /** Classes that it was made for. */
  readonly classes: number;
  /** Options that are positive integers, with their defaults. */
  readonly options: Readonly<Record<string, number>>;
}

/* @__NO_SIDE_EFFECTS__ */
const entry = <O extends ModelOptions>(
  make: (options: O) => Model,
  about: string,
  input: ModelEntry['input'],
  classes: number,
  options: Readonly<Record<string, number>> = {},
): ModelEntry => ({ make: make as unknown as ModelEntry['make'], about, input, classes, options });

const DIGITS = [28, 28, 1] as const;
const PICTURES = [32, 32, 3] as const;
const PHOTOS = [224, 224, 3] as const;

const MODELS = {
  mlp: entry(mlp, 'two binary hidden layers (Hubara et al. 2016)', DIGITS, 10, { units: 512 }),
  cnn: entry(cnn, "three binary convolutions, as Larq's tutorial", DIGITS, 10),
  binarynet: entry(binarynet, 'BinaryNet (Courbariaux et al. 2016)', PICTURES, 10),
  cnv: entry(cnv, "FINN's convolutional network (Umuroglu et al. 2017)", PICTURES, 10),
  lfc: entry(lfc, "FINN's large fully connected network", DIGITS, 10),
  sfc: entry(sfc, "FINN's small fully connected network", DIGITS, 10),
  tfc: entry(tfc, "FINN's tiny fully connected network", DIGITS, 10),
  birealnet18: entry(birealnet18, 'Bi-Real Net of 18 layers (Liu et al. 2018)', PHOTOS, 1000, {
    filters: 64,
  }),
  resnet20: entry(resnet20, 'ResNet-20 with binary convolutions (He et al. 2016)', PICTURES, 10, {
    filters: 16,
  }),
  quicknet: entry(quicknet, 'of the form of QuickNet (Bannink et al. 2021)', PHOTOS, 1000, {
    filters: 64,
    blocks: 4,
  }),
} as const satisfies Readonly<Record<string, ModelEntry>>;

/** The name of a ready-made model. */
export type ModelName = keyof typeof MODELS;
/** Names of the ready-made models. */
export const MODEL_NAMES = /* @__PURE__ */ Object.keys(MODELS) as readonly ModelName[];

/** What there is to know of a ready-made model. @throws OptionError for an unknown name, listing the known ones */
export function modelEntry(name: string): ModelEntry {
  if (!Object.hasOwn(MODELS, name)) throw unknownName('model', name, MODEL_NAMES, 'modelByName');
  return MODELS[name as ModelName];
}

/**
 * A ready-made model by name.
 * @param more options of this model, `units` of an mlp say
 * @throws OptionError for an unknown name or option, listing the known ones, and for one that is no positive integer
 * @example
 * ```ts
 * import { MODEL_NAMES, modelByName } from 'webgpu-bnn';
 *
 * for (const name of MODEL_NAMES) console.log(name);
 * modelByName('cnn', { input: [28, 28, 1], classes: 10 });
 * ```
 */
export function modelByName(
  name: string,
  options: ModelOptions,
  more: Readonly<Record<string, number>> = {},
): Model {
  const { make, options: known } = modelEntry(name);
  assertKnownOptions(more, Object.keys(known), `model ${name}`);
  for (const [option, value] of Object.entries(more)) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new OptionError('This option of a model is a positive integer.', {
      given: `${option} = ${value}`,
      where: `model ${name}`,
    });
  }
  return make({ ...options, ...more });
}
