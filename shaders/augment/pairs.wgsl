// Mixup: which other row of the batch each row is mixed with, and the share of itself that it keeps, of Beta(ALPHA, ALPHA).
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"

override SAMPLES: u32;
override BATCH: u32;
override HALF_BITS: u32; // feistelHalfBits(BATCH)
override ALPHA: f32; // more than 0, 1 at most
override PLACE: u32; // of the augmentation, from 1

@group(0) @binding(0) var<storage, read> state: TrainState;
@group(0) @binding(1) var<storage, read_write> pairs: array<vec2u>; // [BATCH]: row, bits of the share

const TRIES = 24u;

// Joehnk 1964: of two uniform numbers to the power of 1 / ALPHA, the share of the first, where they add up to 1 at most.
fn beta_share(row: u32) -> f32 {
  for (var attempt = 0u; attempt < TRIES; attempt++) {
    let words = pcg4d(vec4u(state.seed, STREAM_AUGMENT + PLACE, state.epoch, state.batch * BATCH + row) + vec4u(0u, attempt << 8u, 0u, 0u));
    let first = pow(to_uniform(words.x), 1.0 / ALPHA);
    let sum = first + pow(to_uniform(words.y), 1.0 / ALPHA);
    if (sum <= 1.0 && sum > 0.0) {
      return first / sum;
    }
  }
  return 1.0;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= BATCH) {
    return;
  }
  let key = pcg4d(vec4u(state.seed, STREAM_AUGMENT + PLACE, state.epoch, 0xffffffffu - state.batch)).x;
  let other = permute(state.seed, key, row, BATCH, HALF_BITS);
  let first = state.batch * BATCH;
  if (first + max(row, other) >= SAMPLES) {
    pairs[row] = vec2u(row, bitcast<u32>(1.0f));
    return;
  }
  pairs[row] = vec2u(other, bitcast<u32>(beta_share(row)));
}
