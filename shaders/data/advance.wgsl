// Ends a training step: counts it.
//!include "lib/state.wgsl"

@group(0) @binding(0) var<storage, read_write> state: TrainState;

@compute @workgroup_size(1)
fn main() {
  if (state.halted != 0u) {
    return;
  }
  state.step += 1u;
  state.batch += 1u;
}
