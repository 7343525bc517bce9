//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override LANES: u32;
override GAIN1: f32; // 1 - beta1
override GAIN2: f32; // 1 - beta2
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [LANES]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> parameter: array<Lane>; // f32 [LANES]
@group(0) @binding(3) var<storage, read_write> m: array<Lane>; // f32 [LANES]
@group(0) @binding(4) var<storage, read_write> v: array<Lane>; // f32 [LANES]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups, 64u);
  if (at >= LANES || state.halted != 0u) {
    return;
  }
  let g = grad[at];
  let first_moment = m[at] + GAIN1 * (g - m[at]);
  let second_moment = v[at] + GAIN2 * (g * g - v[at]);
  m[at] = first_moment;
  v[at] = second_moment;
  parameter[at] -= state.hyper.x * first_moment / (sqrt(second_moment) + EPSILON);
}
