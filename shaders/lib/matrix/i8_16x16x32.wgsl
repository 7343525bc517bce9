enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Matrix units that multiply 16 x 32 by 32 x 16 bytes, for subgroups of 32.
//!gives LANES, Left, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, Right, Sums
const LANES = 32u;
const MATRIX_ROWS = 16u;
const MATRIX_COLUMNS = 16u;
const MATRIX_DEPTH = 32u;

alias Left = subgroup_matrix_left<i8, 32, 16>;
alias Right = subgroup_matrix_right<i8, 16, 32>;
alias Sums = subgroup_matrix_result<i32, 16, 16>;
