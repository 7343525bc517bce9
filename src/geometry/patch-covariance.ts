/** The covariance of what a layer's filters see, and how the filters lie in it. */
import { type Gpu, type ProgramBuilder, runOnce, sizeOf, type Tensor } from '../gpu/index.ts';
import { alignedCorrelation } from '../numerics/closed-forms.ts';
import { meanOf } from '../numerics/mean.ts';
import {
  covarianceOf,
  effectiveRank,
  participationRatio,
  powerIteration,
  symmetricEigenvalues,
  trace,
} from '../numerics/spectrum.ts';
import { resolveConv2d } from '../ops/conv.ts';
import { matMul, unpackSigns } from '../ops/dense.ts';
import { addInto, biasGrad } from '../ops/elementwise.ts';
import { samplePatches } from '../ops/proportionality.ts';
import type { BinaryLayer, Operand } from './operands.ts';

/** What a layer's filters see: the covariance C of its input patches, and how the filters lie in it. */
export interface PatchCovariance {
  /** Patches that it was estimated from; with fewer than several times the dimension, it looks less isotropic. */
  readonly samples: number;
  /** Σλ: the variance of all entries of a patch together. */
  readonly trace: number;
  /** (Σλ)²/Σλ². */
  readonly participationRatio: number;
  /** exp of the entropy of λ/Σλ; undefined above 1536 dimensions, where only the largest eigenvalue is computed. */
  readonly effectiveRank: number | undefined;
  /** Largest first; the largest alone above 1536 dimensions. */
  readonly eigenvalues: readonly number[];
  /** Per filter: ŵᵀCŵ·d/tr C of the latent weights; 1 for isotropic data. */
  readonly alignments: readonly number[];
  /** Mean of `alignments` over the filters. */
  readonly meanAlignment: number;
  /** Per filter: the r that C gives, w_bᵀCw_c / √(w_bᵀCw_b · w_cᵀCw_c). */
  readonly correlations: readonly number[];
  /** Mean of `correlations` over the filters. */
  readonly meanCorrelation: number;
  /** Mean r if the binarization error were random with respect to C: [1 + tan²θ/alignment]^(−1/2). */
  readonly expectedCorrelation: number;
}

/** Above this, the whole spectrum takes longer than a few seconds. */
const MOST_DIMENSIONS = 1536;

/** Σxxᵀ, f32 [d, d], and Σx, f32 [d], over patches x. */
export interface Scatter {
  readonly products: Tensor;
  readonly sums: Tensor;
}

/** Adds a batch's patches to the layer's Σxxᵀ and Σx. @returns how many patches there were */
export function addPatches(
  builder: ProgramBuilder,
  { kernel, window }: BinaryLayer,
  { products, sums }: Scatter,
  { reals, signs }: Operand,
  { patches, seed }: { readonly patches: number; readonly seed: number },
): number {
  const x = signs ? unpackSigns(builder, signs) : reals;
  if (x === undefined) return 0;
  const filterShape = kernel.spec.shape;
  let rows = x;
  if (window) {
    const { outputShape } = resolveConv2d(x.shape, filterShape, window);
    const places = sizeOf(outputShape.slice(0, 3));
    const count = Math.min(places, (x.shape[0] ?? 1) * patches);
    rows = samplePatches(builder, x, { ...window, filterShape, count, seed });
  }
  addInto(builder, products, matMul(builder, rows, rows, { transposeA: true }));
  addInto(builder, sums, biasGrad(builder, rows));
  return rows.shape[0] ?? 0;
}

/**
 * The covariance, once all patches were added.
 * @param patches how many there were
 * @param cosines of each filter with its signs
 */
export async function patchCovariance(
  gpu: Gpu,
  { kernel, packed }: BinaryLayer,
  scatter: Scatter,
  patches: number,
  cosines: readonly number[],
): Promise<PatchCovariance> {
  const filters = kernel.spec.shape[0] ?? 1;
  const d = sizeOf(kernel.spec.shape) / filters;
  const products = await gpu.readFloats(scatter.products);
  const covariance = covarianceOf(products, await gpu.readFloats(scatter.sums), patches);
  using onGpu = gpu.tensor('covariance', [d, d], 'f32', Float32Array.from(covariance));
  using forms = await runOnce(gpu, 'filters in the covariance', (b) => {
    const latent = kernel.value.reshape([filters, d]);
    const signs = b.keep(unpackSigns(b, packed).reshape([filters, d]));
    return {
      latent: b.keep(matMul(b, latent, onGpu)),
      signs: b.keep(matMul(b, signs, onGpu)),
      values: signs,
    };
  });
  const [w, s, Cw, Cs] = await Promise.all(
    [kernel.value, forms.result.values, forms.result.latent, forms.result.signs].map((tensor) =>
      gpu.readFloats(tensor),
    ),
  );
  const dot = (a: Float32Array | undefined, b: Float32Array | undefined, filter: number) => {
    let sum = 0;
    for (let i = filter * d; i < (filter + 1) * d; i++) sum += (a?.[i] ?? 0) * (b?.[i] ?? 0);
    return sum;
  };
  const total = trace(covariance, d);
  const each = Array.from({ length: filters }, (_, filter) => {
    const [wCw, sCs, sCw] = [dot(w, Cw, filter), dot(s, Cs, filter), dot(s, Cw, filter)];
    const alignment = (wCw * d) / (dot(w, w, filter) * total);
    return { alignment, correlation: sCw / Math.sqrt(sCs * wCw), cosine: cosines[filter] ?? 0 };
  }).map((one) => (Number.isFinite(one.correlation) && one.alignment > 0 ? one : undefined));
  const defined = each.filter((one) => one !== undefined);
  const small = d <= MOST_DIMENSIONS;
  const eigenvalues = small ? symmetricEigenvalues(covariance, d) : [powerIteration(covariance, d).value];
  return {
    samples: patches,
    trace: total,
    participationRatio: participationRatio(covariance, d),
    effectiveRank: small ? effectiveRank(eigenvalues) : undefined,
    eigenvalues,
    alignments: each.map((one) => one?.alignment ?? Number.NaN),
    meanAlignment: meanOf(defined.map(({ alignment }) => alignment)),
    correlations: each.map((one) => one?.correlation ?? Number.NaN),
    meanCorrelation: meanOf(defined.map(({ correlation }) => correlation)),
    expectedCorrelation: meanOf(
      defined.map(({ alignment, cosine }) => alignedCorrelation(alignment, cosine)),
    ),
  };
}
