// Where an invocation is in a dispatch, which may be a part of a larger one: some of its rows of workgroups.
//!gives FIRST_ROW, linear_index
override FIRST_ROW: u32 = 0u; // of the part

// Its index where `linearWorkgroups` (src/gpu/kernel.ts) laid out the dispatch: along x, wrapped into y.
fn linear_index(invocation: vec3u, groups: vec3u, group_size: u32) -> u32 {
  return (invocation.y + FIRST_ROW) * groups.x * group_size + invocation.x;
}
