// Products of bytes on matrix units: of what a subgroup computes together, everything that asks the units. It needs
// Left, Right and Sums of `lib/matrix/i8_*.wgsl`, and
//   shared_words: array<i32>, four bytes a word, each matrix in one piece: rows of a left one, columns of a right one
//!needs Left, MATRIX_COLUMNS, MATRIX_DEPTH, Right, shared_words, Sums
//!gives LINE_WORDS, load_left, load_right, multiply_add, own_subgroup, store_sums

const LINE_WORDS = MATRIX_DEPTH / 4u; // of a row of a left matrix, or a column of a right one

fn load_left(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&shared_words, at, LINE_WORDS);
}

fn load_right(at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&shared_words, at, LINE_WORDS);
}

fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  return subgroupMatrixMultiplyAccumulate(left, right, sums);
}

// Row by row, with nothing between rows.
fn store_sums(at: u32, sums: Sums) {
  subgroupMatrixStore<row_major>(&shared_words, at, sums, MATRIX_COLUMNS);
}

// Which of the workgroup's subgroups this is.
fn own_subgroup(local: u32, subgroup: u32) -> u32 {
  return subgroup;
}
