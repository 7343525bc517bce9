// Four random numbers of an augmentation for each row of a batch. They follow from the sample, and so not from the batch it is in.
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"

override SAMPLES: u32;
override BATCH: u32;
override HALF_BITS: u32; // feistelHalfBits(SAMPLES)
override PLACE: u32; // of the augmentation, from 1: crops and mirror images are drawn at 0

@group(0) @binding(0) var<storage, read> state: TrainState;
@group(0) @binding(1) var<storage, read_write> draws: array<vec4f>; // [BATCH]: each in [0, 1)

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= BATCH) {
    return;
  }
  let position = state.batch * BATCH + row;
  if (position >= SAMPLES) {
    draws[row] = vec4f(0.0);
    return;
  }
  let sample = permute(state.seed, state.epoch, position, SAMPLES, HALF_BITS);
  let words = pcg4d(vec4u(state.seed, STREAM_AUGMENT + PLACE, state.epoch, sample));
  draws[row] = vec4f(to_uniform(words.x), to_uniform(words.y), to_uniform(words.z), to_uniform(words.w));
}
