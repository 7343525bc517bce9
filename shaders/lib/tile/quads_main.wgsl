// One tile of `lib/tile/binary_quads.wgsl` an invocation, stored by store(row, quad, second, d, e) as in `lib/tile/binary.wgsl`.
//!needs COLUMNS, count_tile, differing, LANES, ROWS, store, TILE_ROWS
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let quads = COLUMNS / 4u;
  let across = (quads + LANES - 1u) / LANES;
  let index = group.y * groups.x + group.x;
  let quad = index % across * LANES + local % LANES;
  let row = (index / across * (64u / LANES) + local / LANES) * TILE_ROWS;
  // The same for a whole quad, which is all that broadcasts within quads need.
  if (row >= ROWS) {
    return;
  }
  count_tile(row, quad, lane);
  if (quad < quads) {
    for (var r = 0u; r < TILE_ROWS; r++) {
      store(row + r, quad, 0u, differing[r], vec4u());
    }
  }
}
