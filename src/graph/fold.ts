/**
 * The inference compiler: rewrites a trained model, pass by pass, so that bits pass from layer to layer. The result gives the
 * same bits as the model it came from, but for what `reals` asks for.
 */
import type { Model } from './model.ts';
import { inParts } from './passes/expand.ts';
import { FOLDING, FUSING } from './passes/index.ts';
import { type FusedLayer, type Pass, type PassOptions, type Rewrite, rebuild } from './passes/pass.ts';
import type { ParameterValue, ParameterValues } from './values.ts';

/** What may be folded. */
export interface FoldOptions extends PassOptions {
  /** Make one layer of a binary product and what follows it. Default true. */
  readonly fuse?: boolean | undefined;
}

/** A model as it runs fastest, its values, and what became of its layers. */
export interface FoldedModel {
  /** With fewer layers, to the same outputs. */
  readonly model: Model;
  /** By `layer/parameter` of the folded model: reals, or packed signs. */
  readonly values: Map<string, ParameterValue>;
  /** What became a threshold. */
  readonly folded: readonly string[];
  /** Products that took in what follows them: one layer and one kernel, with signs or finished reals at its end. */
  readonly fused: readonly FusedLayer[];
  /** Normalisations that stayed, with the reason. */
  readonly kept: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Folds every batch normalisation that stands between an integer sum and a sign, and fuses binary products with what follows
 * them, so that a stack of binary layers passes bits only. What is rewritten, and when, each file of `passes/` says.
 * @param values of all parameters
 * @returns a model for inference with its values; layers keep their names, those that others took in are gone
 * @throws FormatError when a value is missing or not finite
 * @example
 * ```ts
 * import { foldForInference, initialValues, mlp } from 'webgpu-bnn';
 *
 * const network = mlp({ input: [8, 8, 1], classes: 4, units: 32 });
 * const { folded } = foldForInference(network, initialValues(network, 1));
 * console.log(folded); // normalisations that became thresholds
 * ```
 */
export function foldForInference(
  source: Model,
  values: ParameterValues,
  options: FoldOptions = {},
): FoldedModel {
  return rewritten(source, values, options.fuse === false ? FOLDING : [...FOLDING, ...FUSING], options);
}

/** `foldForInference` without the folding: for models whose thresholds are there already. */
export function fuseLayers(source: Model, values: ParameterValues, options: PassOptions = {}): FoldedModel {
  return rewritten(source, values, FUSING, options);
}

function rewritten(
  source: Model,
  values: ParameterValues,
  passes: readonly Pass[],
  options: PassOptions,
): FoldedModel {
  const whole = inParts(source, values);
  let network = rebuild(whole.model, whole.values, new Map());
  const done: Rewrite[] = [];
  for (const pass of passes) {
    const rewrite = pass(network.model, network.values, options);
    if (rewrite.replacements.size > 0) network = rebuild(network.model, network.values, rewrite.replacements);
    done.push(rewrite);
  }
  const fused = done.flatMap((rewrite) => rewrite.fused ?? []);
  // A normalisation that a product took in is none that stayed.
  const taken = new Set(fused.flatMap(({ took }) => took));
  return {
    ...network,
    folded: done.flatMap((rewrite) => rewrite.folded ?? []),
    fused,
    kept: done.flatMap((rewrite) => rewrite.kept ?? []).filter(({ name }) => !taken.has(name)),
  };
}
