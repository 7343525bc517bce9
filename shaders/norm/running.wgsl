// Running statistics of batch normalisation: running = (1 - GAIN) * running + GAIN * batch.
//!include "lib/state.wgsl"

override CHANNELS: u32;
override GAIN: f32; // 1 - momentum, in more digits than f32 arithmetic would give

@group(0) @binding(0) var<storage, read> mean: array<f32>; // [CHANNELS]
@group(0) @binding(1) var<storage, read> variance: array<f32>; // [CHANNELS]
@group(0) @binding(2) var<storage, read> state: TrainState;
@group(0) @binding(3) var<storage, read_write> running_mean: array<f32>; // [CHANNELS]
@group(0) @binding(4) var<storage, read_write> running_variance: array<f32>; // [CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= CHANNELS || state.halted != 0u) {
    return;
  }
  running_mean[c] += GAIN * (mean[c] - running_mean[c]);
  running_variance[c] += GAIN * (variance[c] - running_variance[c]);
}
