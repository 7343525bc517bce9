/** What the page, its worker and the build agree on. */

/** Images of a piece of MNIST. */
export const PIECE = 2000;

export const pieceName = (split: 'train' | 'test', index: number) => `${split}-${index}.gz`;

/** The entry for running networks in one file, for pages that visitors take with them. */
export const RUNTIME = 'webgpu-bnn-inference.min.js';

/** Bytes of a network that a link holds at most: longer addresses are cut by what people send them with. */
export const MOST_BYTES = 24_000;
