/** Parameters by name: what a run says of some of them, as the trainer takes it. */
import type { Override } from '../index.ts';
import type { RunOptions } from '../reports/story.ts';

/** `conv*`: a name of a parameter, or of a layer, with `*` for anything. */
export function patternOf(glob: string): RegExp {
  const text = glob.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\*+/g, '.*');
  return new RegExp(`^${text}(/[^/]*)?$`);
}

/** What a run says of its parameters, as the trainer takes it. */
export function overridesOf({ freeze = [], rates = [] }: RunOptions): Override[] {
  return [
    ...freeze.map((glob) => ({ match: patternOf(glob), optimizer: 'none' as const })),
    ...rates.map(([glob, rate]) => ({ match: patternOf(glob), rate })),
  ];
}
