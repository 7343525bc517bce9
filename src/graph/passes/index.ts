/** All passes, in the order in which they are made. A new one is a file here, a line below, and a test in `test/passes`. */
import { dropIdle } from './drop-idle.ts';
import { fuseReals } from './fuse-reals.ts';
import { fuseSigns } from './fuse-signs.ts';
import type { Pass } from './pass.ts';
import { foldThresholds } from './thresholds.ts';

/** Those that make layers simpler. */
export const FOLDING: readonly Pass[] = [dropIdle, foldThresholds];
/** Those that make one layer of several. */
export const FUSING: readonly Pass[] = [fuseSigns, fuseReals];
