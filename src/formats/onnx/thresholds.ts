/** Comparisons: a scale and a shift that are pending become thresholds on the values before them. */
import { threshold } from '../../layers/index.ts';
import type { OnnxNode } from './container.ts';
import type { Importer } from './importer.ts';
import { type Activation, compose, refused } from './values.ts';

/** A threshold this near to an integer, relatively, is that integer: float64 has no finer say. */
const SAME = 1e-9;

/** +1 where the value is at least its channel's limit, else −1, then times `outScale` plus `outShift`. `note` says what was folded. */
export function binarize(
  importer: Importer,
  node: OnnxNode,
  value: Activation,
  limits: Float64Array<ArrayBuffer>,
  [outScale, outShift]: readonly [number, number],
  note = node.name,
): Activation {
  importer.folded.push(note);
  const direction = new Float32Array(limits.length);
  const thresholds = new Float32Array(limits.length);
  let isKept = value.values === 'signs';
  for (const [channel, limit] of limits.entries()) {
    const scale = value.scale[channel] ?? 1;
    const rest = limit - (value.shift[channel] ?? 0);
    assertFinite(node, scale, rest);
    const sign = Math.sign(scale);
    direction[channel] = sign;
    thresholds[channel] =
      sign === 0 ? (rest <= 0 ? 0 : 1) : leastReached(value.values, rest / Math.abs(scale));
    if (!(scale >= rest && -scale < rest)) isKept = false;
  }
  // Signs that the comparison gives back as they are.
  const signs = isKept
    ? { ...value, scale: value.scale.map(() => 1), shift: value.shift.map(() => 0) }
    : importer.alike(node, (name) => threshold({ name }), value, 'signs', {
        direction,
        threshold: thresholds,
      });
  return compose(signs, () => [outScale, outShift]);
}

/** The least value of its kind that f32 holds and that is not below a limit. */
export function leastReached(values: Activation['values'], limit: number): number {
  return values === 'reals' ? roundUp(limit) : wholeUp(limit);
}

export function assertFinite(node: OnnxNode, ...numbers: readonly number[]): void {
  if (!numbers.every(Number.isFinite)) throw refused(node, 'a threshold is not finite');
}

/** The least integer that is not below, within what f32 holds exactly. */
function wholeUp(value: number): number {
  const nearest = Math.round(value);
  const whole = Math.abs(value - nearest) <= SAME * Math.max(1, Math.abs(value)) ? nearest : Math.ceil(value);
  return Math.max(-(2 ** 24), Math.min(2 ** 24, whole)) + 0;
}

/** The least f32 that is not below. */
function roundUp(value: number): number {
  const near = Math.fround(value);
  if (near >= value || !Number.isFinite(near)) return near;
  if (near === 0) return 2 ** -149;
  const word = new DataView(new ArrayBuffer(4));
  word.setFloat32(0, near);
  word.setInt32(0, word.getInt32(0) + (near > 0 ? 1 : -1));
  return word.getFloat32(0);
}
