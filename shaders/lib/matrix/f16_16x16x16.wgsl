enable chromium_experimental_subgroup_matrix;
enable subgroups;
enable f16;
diagnostic(off, chromium.subgroup_matrix_uniformity); // whole workgroups scale sums anew
// Matrix units that multiply 16 x 16 by 16 x 16 halves into floats, for subgroups of 32.
//!gives Left, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, Right, Sums
const LANES = 32u;
const MATRIX_ROWS = 16u;
const MATRIX_COLUMNS = 16u;
const MATRIX_DEPTH = 16u;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;
