/** Rules of classifiers: a file each, and a line here. */
import { adaptHd } from './adapt-hd.ts';
import { centroid } from './centroid.ts';
import { onlineHd } from './online-hd.ts';
import { quantHd } from './quant-hd.ts';
import type { ClassifierRule } from './rule.ts';

/** All rules, by name. */
export const CLASSIFIER_RULES: readonly ClassifierRule[] = [centroid, adaptHd, onlineHd, quantHd];

export type { Change, ClassifierRule, Shown } from './rule.ts';
export { adaptHd, centroid, onlineHd, quantHd };
