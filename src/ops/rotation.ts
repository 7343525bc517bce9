/** Rotation of filters before their signs are taken: generalized binarization sign(Rx). */
import { OptionError, ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { hadamard } from '../kernels/geometry.ts';
import { paddedLength } from '../numerics/rotation.ts';
import { assertKnownOptions } from '../options.ts';
import { packSigns, unpackSigns } from './dense.ts';

/** Which rotation. */
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
  assertRotation({ rounds, seed }, 'rotateFilters');
  const rows = x.shape[0] ?? 1;
  const size = paddedLength(x.size / rows);
  let from = x;
  for (let round = 0; round < rounds; round++) from = transform(b, from, { rows, size, seed, round });
  return from;
}

/** An orthonormal Walsh-Hadamard transform of every row, after the random signs of a round, if one is given. */
function transform(
  b: ProgramBuilder,
  x: Tensor,
  { rows, size, seed, round }: { rows: number; size: number; seed: number; round?: number },
): Tensor {
  let from = x;
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
        SIGNED: stride === 1 && round !== undefined ? 1 : 0,
        SEED: seed,
        ROUND: round ?? 0,
      },
    );
    from = out;
    stride *= radix;
  } while (stride < size);
  return from;
}

/**
 * The inverse of `rotateFilters`, up to the padding: the transposed rotation, cut to the first `length` numbers.
 * @param options.x f32 [O, size], size a power of two
 * @param options.length numbers to keep of each row; all when absent
 * @returns f32 [O, length]
 * @throws ShapeError, OptionError
 */
export function unrotateFilters(
  b: ProgramBuilder,
  {
    x,
    seed = 0,
    rounds = 3,
    length = x.shape.at(-1) ?? 1,
  }: RotateOptions & { readonly length?: number | undefined },
): Tensor {
  const where = 'unrotateFilters';
  const [rows = 1, size = 1] = x.shape;
  if (
    x.dtype !== 'f32' ||
    x.shape.length !== 2 ||
    paddedLength(size) !== size ||
    !(length >= 1 && length <= size)
  ) {
    throw new ShapeError('Rotated filters are rows of a power of two floats.', {
      given: `${x.label}: ${describe(x.shape, x.dtype)}, ${length} of each row to keep`,
      expected: '[O, size] f32',
      where,
    });
  }
  assertRotation({ rounds, seed }, where);
  let from = x;
  // A round is Hadamard's matrix after random signs, and both are their own inverses: backwards, the signs of a round
  // come after its transform, which is before the transform of the round before it.
  for (let round = rounds; round > 0; round--) {
    from = transform(b, from, { rows, size, seed, ...(round < rounds ? { round } : {}) });
  }
  const out = b.transient('unrotated filters', [rows, length], 'f32');
  b.dispatch(
    hadamard,
    { x: from, out },
    {
      ROWS: rows,
      LENGTH: size,
      SIZE: length,
      RADIX: 1,
      STRIDE: 1,
      SCALE: 1,
      SIGNED: 1,
      SEED: seed,
      ROUND: 0,
    },
  );
  return out;
}

/**
 * Generalized binarization of filters (Anderson & Berg 2018): transpose(R) sign(R w), the vector nearest to w's
 * direction among those that are signs after a rotation R. Its angle to w is near 37 degrees whatever w's entries.
 * @returns f32, the shape of x
 * @throws ShapeError, OptionError
 */
export function rotatedSigns(b: ProgramBuilder, options: RotateOptions): Tensor {
  const { x } = options;
  const signs = unpackSigns(b, packSigns(b, rotateFilters(b, options)));
  const length = x.size / (x.shape[0] ?? 1);
  return unrotateFilters(b, { ...options, x: signs, length }).reshape(x.shape);
}

/** @throws OptionError for a number of rounds or a seed that is none */
export function assertRotation(
  rotation: { readonly rounds?: number | undefined; readonly seed?: number | undefined },
  where: string,
): void {
  assertKnownOptions(rotation, ['rounds', 'seed'], where);
  const { rounds = 3, seed = 0 } = rotation;
  const whole = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (whole(rounds, 1, 16) && whole(seed, 0, 2 ** 32 - 1)) return;
  throw new OptionError('A rotation has 1 to 16 rounds, and a seed of 32 bits.', {
    given: `rounds ${rounds}, seed ${seed}`,
    where,
  });
}
