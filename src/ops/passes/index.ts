/** Rewrites of what a training step records, in the order in which they are made. Each gives the same bits. */
import type { RecordingPass } from '../../gpu/index.ts';
import { makeAnew } from './make-anew.ts';
import { poolInGradient } from './pool-in-gradient.ts';
import { signsOnly } from './signs-only.ts';

export const TRAINING_PASSES: readonly RecordingPass[] = [signsOnly, poolInGradient, makeAnew];
