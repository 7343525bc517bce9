// Adds up what the invocations of an update measured, in a fixed order, for the next step.
//!include "lib/state.wgsl"

override PARTS: u32; // invocations of the update
override WEIGHTS: f32; // of the tensor

@group(0) @binding(0) var<storage, read> state: TrainState;
@group(0) @binding(1) var<storage, read_write> measures: array<f32>; // [2 + PARTS]

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var part = local; part < PARTS; part += 256u) {
    sum += measures[2u + part];
  }
  sums[local] = sum;
  workgroupBarrier();
  // A halted run is left as it is: its updates measured nothing.
  if (local != 0u || state.halted != 0u) {
    return;
  }
  var total = 0.0;
  for (var i = 0u; i < 256u; i++) {
    total += sums[i];
  }
  measures[0] = total / WEIGHTS;
  measures[1] = 1.0;
}
