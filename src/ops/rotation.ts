/** Rotation of filters before their signs are taken: generalized binarization sign(Rx). */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { hadamard } from '../kernels/geometry.ts';
import { paddedLength } from '../reference/rotation.ts';

export interface RotateOptions {
  /** f32 [O, ...]; every filter is a vector. */
  readonly x: Tensor;
  /** 0 to 2^32 - 1; 0 when absent. The same seed is the same rotation, on every device. */
  readonly seed?: number | undefined;
  /** Random signs and a transform each; 3 when absent, after which angles are those of a random rotation. */
  readonly rounds?: number | undefined;
}

/** Numbers that an invocation keeps in registers. */
const RADIX = 16;

/**
 * Rotates every filter pseudo-randomly: `rounds` times random signs, then an orthonormal Walsh-Hadamard transform in
 * n log n operations. Filters whose length is no power of two are padded with zeros to the next one.
 * @returns f32 [O, size], size the power of two
 * @throws ShapeError, OptionError
 */
export function rotateFilters(b: ProgramBuilder, { x, seed = 0, rounds = 3 }: RotateOptions): Tensor {
  if (x.dtype !== 'f32' || x.shape.length < 2) {
    throw new ShapeError('Filters are rows of floats.', {
      given: `${x.label}: ${describe(x.shape, x.dtype)}`,
      expected: '[O, ...] f32',
      where: 'rotateFilters',
    });
  }
  if (
    !Number.isInteger(rounds) ||
    rounds < 1 ||
    rounds > 16 ||
    !Number.isInteger(seed) ||
    seed < 0 ||
    seed >= 2 ** 32
  ) {
    throw new OptionError('A rotation has 1 to 16 rounds, and a seed of 32 bits.', {
      given: `rounds ${rounds}, seed ${seed}`,
      where: 'rotateFilters',
    });
  }
  const rows = x.shape[0] ?? 1;
  const size = paddedLength(x.size / rows);
  let from = x;
  for (let round = 0; round < rounds; round++) {
    let stride = 1;
    do {
      const radix = Math.min(RADIX, size / stride);
      const out = b.transient('rotated filters', [rows, size], 'f32');
      b.dispatch(
        hadamard,
        { x: from, out },
        {
          ROWS: rows,
          LENGTH: from.size / rows,
          SIZE: size,
          RADIX: radix,
          STRIDE: stride,
          SCALE: radix ** -0.5,
          SIGNED: stride === 1 ? 1 : 0,
          SEED: seed,
          ROUND: round,
        },
      );
      from = out;
      stride *= radix;
    } while (stride < size);
  }
  return from;
}
