// The frame of updates of real parameters. The hole is filled by the optimizer's update.
//!needs begin_measure, end_measure, Lane, take_measure
//!gives slots
//!include "lib/update/weights.wgsl"
//!hole update "methods/optimizers/sgd.wgsl"

override LANES: u32;
override HAS_SLOTS: u32; // 0: the optimizer keeps nothing, and `slots` is a placeholder

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [LANES]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read> table: array<Scalars>; // [TABLE_ROWS]
@group(0) @binding(3) var<storage, read_write> parameter: array<Lane>; // f32 [LANES]
@group(0) @binding(4) var<storage, read_write> slots: array<Slots>; // [LANES]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = linear_index(id, groups, 64u);
  if (at >= LANES || state.halted != 0u) {
    return;
  }
  let w = parameter[at];
  var kept: Slots;
  if (HAS_SLOTS == 1u) {
    kept = slots[at];
  }
  begin_measure();
  let g = grad[at];
  drawing = vec4u(state.seed, STREAM, at, state.step);
  let stepped = update(w, g, &kept, table[min(state.batch, TABLE_ROWS - 1u)]);
  parameter[at] = stepped;
  take_measure(w, stepped, g, kept);
  end_measure(at);
  if (HAS_SLOTS == 1u) {
    slots[at] = kept;
  }
}
