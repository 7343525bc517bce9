// Products of halves on matrix units: of what a subgroup computes together, everything that asks the units. It needs
// Left, Right and Sums of `lib/matrix/f16_*.wgsl`, and
//   parts, signs: array<f16>, left and right matrices, each in one piece and row by row
//   products: array<f32>
//!needs Left, MATRIX_COLUMNS, MATRIX_DEPTH, parts, products, Right, signs, Sums
//!gives load_left, load_right, multiply_add, own_subgroup, rescale, store_sums

fn load_left(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&parts, at, MATRIX_DEPTH);
}

fn load_right(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&signs, at, MATRIX_COLUMNS);
}

fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  return subgroupMatrixMultiplyAccumulate(left, right, sums);
}

fn rescale(sums: Sums, factor: f32) -> Sums {
  return subgroupMatrixScalarMultiply(sums, factor);
}

// Row by row, with nothing between rows.
fn store_sums(at: u32, sums: Sums) {
  subgroupMatrixStore<row_major>(&products, at, sums, MATRIX_COLUMNS);
}

// Which of the workgroup's subgroups this is.
fn own_subgroup(local: u32, subgroup: u32) -> u32 {
  return subgroup;
}
