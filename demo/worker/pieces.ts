/** How MNIST is cut: what the build writes, and the worker asks for. */

/** Images of a piece. */
export const PIECE = 2000;

export const pieceName = (split: 'train' | 'test', index: number) => `${split}-${index}.gz`;
