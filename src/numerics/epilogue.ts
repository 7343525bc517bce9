/**
 * What becomes of the integer sums of a binary layer: the epilogues of Larq Compute Engine's LceBconv2d and of residual
 * networks (Bi-Real Net, ReActNet, QuickNet).
 */
import { packSigns } from './pack.ts';

/** ε of a batch normalization where none is given (Hubara et al. 2016). */
export const DEFAULT_EPSILON = 1e-4;

/** What a sum is clamped to, by Larq Compute Engine's names. */
export type FusedActivation = 'relu' | 'relu6' | 'reluN1To1';

/** Beyond any sum of signs. */
const UNBOUNDED = 2 ** 30;

/** The interval an activation clamps to; wider than any sum of signs without one. */
export function clampRange(
  activation: FusedActivation | undefined,
): readonly [lowest: number, highest: number] {
  switch (activation) {
    case undefined:
      return [-UNBOUNDED, UNBOUNDED];
    case 'relu':
      return [0, UNBOUNDED];
    case 'relu6':
      return [0, 6];
    case 'reluN1To1':
      return [-1, 1];
  }
}

/** How sums become reals. Arrays are [channels], but for the residual. */
export interface RealEpilogue {
  readonly activation?: FusedActivation | undefined;
  readonly multiplier: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  /** As many values as there are sums. */
  readonly residual?: ArrayLike<number> | undefined;
  /** PReLU: what multiplies negative values. */
  readonly slope?: ArrayLike<number> | undefined;
}

/** PReLU(clamp(sum)·multiplier + bias + residual), by channel, the last axis. */
export function finishReals(sums: ArrayLike<number>, epilogue: RealEpilogue): Float64Array<ArrayBuffer> {
  const { multiplier, bias, residual, slope } = epilogue;
  const [lowest, highest] = clampRange(epilogue.activation);
  return Float64Array.from(sums, (sum, i) => {
    const c = i % multiplier.length;
    const clamped = Math.min(highest, Math.max(lowest, sum));
    const y = clamped * (multiplier[c] ?? 0) + (bias[c] ?? 0) + (residual?.[i] ?? 0);
    return y < 0 && slope !== undefined ? y * (slope[c] ?? 0) : y;
  });
}

/** How sums become signs, [channels] each. */
export interface SignEpilogue {
  readonly activation?: FusedActivation | undefined;
  readonly direction: ArrayLike<number>;
  readonly threshold: ArrayLike<number>;
}

/** +1 where direction·clamp(sum) ≥ threshold, else −1, by channel; packed. */
export function finishSigns(sums: ArrayLike<number>, epilogue: SignEpilogue): Uint32Array<ArrayBuffer> {
  const { direction, threshold } = epilogue;
  const [lowest, highest] = clampRange(epilogue.activation);
  const channels = threshold.length;
  const signs = Array.from(sums, (sum, i) => {
    const c = i % channels;
    const clamped = Math.min(highest, Math.max(lowest, sum));
    return (direction[c] ?? 0) * clamped >= (threshold[c] ?? 0) ? 1 : -1;
  });
  return packSigns(signs, sums.length / channels, channels);
}
