// Index of an invocation in a dispatch that `linearWorkgroups` (src/gpu/kernel.ts) laid out: along x, wrapped into y.
fn linear_index(invocation: vec3u, groups: vec3u, group_size: u32) -> u32 {
  return invocation.y * groups.x * group_size + invocation.x;
}
