//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override LANES: u32;
override MOMENTUM: f32;
override HAS_VELOCITY: u32; // 0: there is no momentum, and `velocity` is a placeholder

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [LANES]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> parameter: array<Lane>; // f32 [LANES]
@group(0) @binding(3) var<storage, read_write> velocity: array<Lane>; // f32 [LANES]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups, 64u);
  if (at >= LANES || state.halted != 0u) {
    return;
  }
  var change = grad[at];
  if (HAS_VELOCITY == 1u) {
    change += MOMENTUM * velocity[at];
    velocity[at] = change;
  }
  parameter[at] -= state.hyper.x * change;
}
