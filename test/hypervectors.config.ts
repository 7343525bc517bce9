/** `npm run hypervectors`: measures classifiers of hypervectors on MNIST, and search among keys: hypervectors.ts, vector-search.ts. */
import { measuring } from './helpers/only.ts';

export default measuring('test/hypervectors.ts', 'test/vector-search.ts');
