//!needs Lane
//!gives x
//!include "lib/index.wgsl"

override LANES: u32;

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [LANES]
@group(0) @binding(1) var<storage, read_write> sum: array<Lane>; // f32 [LANES]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups, 64u);
  if (at < LANES) {
    sum[at] += x[at];
  }
}
