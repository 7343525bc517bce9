/** How reals become integers. */

/** How quantization rounds. Their numbers in the kernel are their places here. */
export const ROUNDING_MODES = [
  'halfEven',
  'floor',
  'ceil',
  'towardZero',
  'awayFromZero',
  'halfAwayFromZero',
  'halfTowardZero',
] as const;
/** Which integer a number between two becomes. */
export type RoundingMode = (typeof ROUNDING_MODES)[number];

/** An integer next to the value. */
export function roundBy(mode: RoundingMode, value: number): number {
  const whole = Math.trunc(value);
  const rest = Math.abs(value - whole);
  const next = whole + Math.sign(value);
  switch (mode) {
    case 'halfEven':
      return rest > 0.5 || (rest === 0.5 && whole % 2 !== 0) ? next : whole;
    case 'floor':
      return Math.floor(value);
    case 'ceil':
      return Math.ceil(value);
    case 'towardZero':
      return whole;
    case 'awayFromZero':
      return rest > 0 ? next : whole;
    case 'halfAwayFromZero':
      return rest >= 0.5 ? next : whole;
    case 'halfTowardZero':
      return rest > 0.5 ? next : whole;
  }
}
