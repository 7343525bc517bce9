/** The networks that can be trained: a list of hidden layers, as a binary network and as its twin of real numbers. */
import {
  batchNormalization,
  flatten,
  type Layer,
  type Model,
  maxPool2d,
  type Quantizer,
  quantConv2d,
  quantDense,
  relu,
  sequential,
  steSign,
} from '../../src/index.ts';

export type LayerChoice =
  | { readonly kind: 'dense'; readonly units: number }
  | { readonly kind: 'conv'; readonly units: number; readonly pool: boolean };

export const DEFAULT_LAYERS: readonly LayerChoice[] = [
  { kind: 'dense', units: 512 },
  { kind: 'dense', units: 512 },
];
export const MOST_LAYERS = 8;
export const MOST_UNITS = 2048;

const HALF = { kind: 'uniform', limit: 0.5 } as const;

/** `conv32p-dense512`. */
export function layersText(layers: readonly LayerChoice[]): string {
  return layers
    .map((layer) => `${layer.kind}${layer.units}${layer.kind === 'conv' && layer.pool ? 'p' : ''}`)
    .join('-');
}

/** The layers of such a text; undefined where it is none, or more than is allowed. */
export function layersOf(text: string): readonly LayerChoice[] | undefined {
  const parts = text.split('-');
  if (text === '' || parts.length > MOST_LAYERS) return undefined;
  const layers: LayerChoice[] = [];
  for (const part of parts) {
    const [, kind, digits, pool] = /^(conv|dense)(\d{1,4})(p?)$/.exec(part) ?? [];
    const units = Number(digits);
    if (kind === undefined || !(units >= 1 && units <= MOST_UNITS)) return undefined;
    if (kind === 'conv') layers.push({ kind, units, pool: pool === 'p' });
    else if (pool === '') layers.push({ kind: 'dense', units });
    else return undefined;
  }
  return layers;
}

/**
 * The network of these hidden layers and a dense layer of the classes, with batch normalisation after each product.
 * @param quantizer makes signs of hidden activations, and of weights where it can; undefined: nothing does, and rectifiers
 *   stand where signs did
 */
export function networkOf(
  layers: readonly LayerChoice[],
  quantizer: Quantizer | undefined,
  data: { readonly image: readonly number[]; readonly classes: readonly string[] },
): Model {
  const { unfit } = quantizer?.definition ?? {};
  const weights = unfit?.weights === undefined ? quantizer : steSign();
  const activations = unfit?.activations === undefined ? quantizer : steSign();
  const built: Layer[] = [];
  let flat = false;
  const product = (number: number) => ({
    kernelInitializer: HALF,
    ...(weights === undefined ? {} : { kernelQuantizer: weights }),
    ...(activations === undefined || number === 1 ? {} : { inputQuantizer: activations }),
  });
  const all = [...layers, { kind: 'dense', units: data.classes.length } as const];
  for (const [index, layer] of all.entries()) {
    const number = index + 1;
    if (quantizer === undefined && number > 1) built.push(relu({ name: `relu${index}` }));
    if (layer.kind === 'conv') {
      built.push(
        quantConv2d({ name: `conv${number}`, filters: layer.units, kernelSize: 3, ...product(number) }),
      );
      if (layer.pool) built.push(maxPool2d({ name: `pool${number}`, poolSize: 2 }));
    } else {
      if (!flat) built.push(flatten());
      flat = true;
      built.push(quantDense({ name: `dense${number}`, units: layer.units, ...product(number) }));
    }
    built.push(batchNormalization({ name: `norm${number}` }));
  }
  return sequential(built, { input: data.image, name: layersText(layers) });
}
