// Where an invocation is along y in a dispatch of 8 x 8 invocations a workgroup, which may be a part of a larger one: some of
// its rows of workgroups.
//!gives tile_row
override FIRST_ROW: u32 = 0u; // of the part

fn tile_row(invocation: vec3u) -> u32 {
  return invocation.y + 8u * FIRST_ROW;
}
