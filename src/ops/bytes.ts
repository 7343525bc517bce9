/** Bytes as reals: what lets a first layer take 8-bit images as they are. */
import { ShapeError } from '../errors.ts';
import { describe, type ProgramBuilder, type Tensor } from '../gpu/index.ts';
import { realsOfBytes } from '../kernels/data.ts';

/**
 * real = byte · scale + shift.
 * @param bytes u8, any shape
 * @returns f32, the same shape
 * @throws ShapeError
 */
export function realsFromBytes(
  b: ProgramBuilder,
  bytes: Tensor,
  { scale = 1, shift = 0 }: { readonly scale?: number; readonly shift?: number } = {},
): Tensor {
  if (bytes.dtype !== 'u8') {
    throw new ShapeError('Bytes are expected.', {
      given: `${bytes.label}: ${describe(bytes.shape, bytes.dtype)}`,
      expected: 'u8',
      where: 'realsFromBytes',
    });
  }
  const reals = b.transient(`${bytes.label} as reals`, bytes.shape, 'f32');
  b.dispatch(realsOfBytes, { bytes, reals }, { COUNT: bytes.size, SCALE: scale, SHIFT: shift });
  return reals;
}

/** The input of a first layer as reals: bytes stand for 0 to 255, everything else is left as it is. */
export function realInput(b: ProgramBuilder, x: Tensor): Tensor {
  return x.dtype === 'u8' ? realsFromBytes(b, x) : x;
}
