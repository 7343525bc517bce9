enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Matrix units that multiply 8 x 8 by 8 x 8 bytes, for subgroups of 8.
//!gives LANES, Left, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, Right, Sums
const LANES = 8u;
const MATRIX_ROWS = 8u;
const MATRIX_COLUMNS = 8u;
const MATRIX_DEPTH = 8u;

alias Left = subgroup_matrix_left<i8, 8, 8>;
alias Right = subgroup_matrix_right<i8, 8, 8>;
alias Sums = subgroup_matrix_result<i32, 8, 8>;
