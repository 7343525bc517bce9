// Ends a training step: counts it and takes the next step's hyper-parameters from the epoch's table.
//!include "lib/state.wgsl"

override ROWS: u32;

@group(0) @binding(0) var<storage, read> table: array<vec4f>; // [ROWS], one row a batch of the epoch
@group(0) @binding(1) var<storage, read_write> state: TrainState;

@compute @workgroup_size(1)
fn main() {
  if (state.halted != 0u) {
    return;
  }
  let batch = state.batch + 1u;
  state.step += 1u;
  state.batch = batch;
  state.hyper = table[min(batch, ROWS - 1u)];
}
