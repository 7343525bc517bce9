enable chromium_experimental_subgroup_matrix;
enable subgroups;
enable f16;
diagnostic(off, chromium.subgroup_matrix_uniformity); // whole workgroups scale sums anew
// Matrix units that multiply 8 x 8 by 8 x 8 halves into floats, for subgroups of 8.
//!gives Left, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, Right, Sums
const LANES = 8u;
const MATRIX_ROWS = 8u;
const MATRIX_COLUMNS = 8u;
const MATRIX_DEPTH = 8u;

alias Left = subgroup_matrix_left<f16, 8, 8>;
alias Right = subgroup_matrix_right<f16, 8, 8>;
alias Sums = subgroup_matrix_result<f32, 8, 8>;
