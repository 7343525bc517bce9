/** `npm run memoization`: what fuzzy memoization leaves out of a small GRU; see memoization.ts. */
import { measuring } from './helpers/only.ts';

export default measuring('test/memoization.ts');
