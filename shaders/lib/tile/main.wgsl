// One tile an invocation. It needs ROWS, COLUMNS, TILE_ROWS and tile(row, quad) of `lib/tile/binary.wgsl` or its like.
//!needs COLUMNS, linear_index, ROWS, tile, TILE_ROWS
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pairs = (COLUMNS / 4u + 1u) / 2u;
  let index = linear_index(id, groups, 64u);
  let row = index / pairs * TILE_ROWS;
  if (row < ROWS) {
    tile(row, index % pairs * 2u);
  }
}
