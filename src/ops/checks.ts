/** Checks of operands, and where results go: what operations share. */
import { ShapeError } from '../errors.ts';
import { type DType, describe, type ProgramBuilder, type Shape, type Tensor } from '../gpu/index.ts';

/** Where a result goes; a transient tensor of the program when absent. */
export interface OutOption {
  /** Where the result goes, of its shape and type; absent: a transient tensor of the program. */
  readonly out?: Tensor | undefined;
}

/** @throws ShapeError unless the tensor holds elements of this type */
export function assertDType(tensor: Tensor, dtype: DType, where: string): void {
  if (tensor?.dtype === dtype) return;
  throw new ShapeError('A tensor has the wrong element type.', {
    given: tensor?.dtype
      ? `${tensor.label}: ${describe(tensor.shape, tensor.dtype)}`
      : `${tensor}: no tensor`,
    expected: dtype,
    where,
  });
}

/** @throws ShapeError unless the tensor has this shape */
export function assertShapeIs(tensor: Tensor, shape: Shape, where: string): void {
  if (tensor.shape.length !== shape.length || tensor.shape.some((extent, axis) => extent !== shape[axis])) {
    throw new ShapeError("A tensor's shape doesn't fit.", {
      given: `${tensor.label}: ${describe(tensor.shape, tensor.dtype)}`,
      expected: describe(shape),
      where,
    });
  }
}

/** @throws ShapeError unless the tensor holds floats in this shape */
export function assertFloats(tensor: Tensor, shape: Shape, where: string): void {
  assertDType(tensor, 'f32', where);
  assertShapeIs(tensor, shape, where);
}

/** The tensor that a result goes to: the caller's, checked, or a new transient one. @throws ShapeError */
export function resultTensor(
  b: ProgramBuilder,
  label: string,
  shape: Shape,
  dtype: DType,
  out: Tensor | undefined,
): Tensor {
  if (out === undefined) return b.transient(label, shape, dtype);
  assertDType(out, dtype, label);
  assertShapeIs(out, shape, label);
  return out;
}
