// The gradient with respect to what a quantizer learns, from its parts, in their order. One invocation takes a group.
//!include "lib/index.wgsl"

override CHUNKS: u32;
override GROUPS: u32;
override FIELDS: u32; // numbers of a group, at most 4

@group(0) @binding(0) var<storage, read> parts: array<vec4f>; // [CHUNKS, GROUPS]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [GROUPS, FIELDS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let group = linear_index(id, groups, 64u);
  if (group >= GROUPS) {
    return;
  }
  var sum = vec4f();
  for (var chunk = 0u; chunk < CHUNKS; chunk++) {
    sum += parts[chunk * GROUPS + group];
  }
  for (var field = 0u; field < FIELDS; field++) {
    out[group * FIELDS + field] = sum[field];
  }
}
