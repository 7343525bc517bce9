// Decides what each row of the batch holds: which sample, how it is augmented, and its label.
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"

override SAMPLES: u32;
override BATCH: u32;
override SHUFFLE: u32; // 1: the epoch's own order
override HALF_BITS: u32; // feistelHalfBits(SAMPLES)
override PAD: u32;
override AUGMENT: u32; // 1: random crop of the image padded by PAD
override FLIP: u32; // 1: mirror half of the samples

@group(0) @binding(0) var<storage, read> labels: array<u32>; // u8 [SAMPLES], four to a word
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> rows: array<vec4u>; // [BATCH]: sample, top, left, 1 if mirrored
@group(0) @binding(3) var<storage, read_write> row_labels: array<u32>; // [BATCH]

const NONE = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= BATCH) {
    return;
  }
  var sample = state.batch * BATCH + row;
  if (sample >= SAMPLES) {
    rows[row] = vec4u(NONE, 0u, 0u, 0u);
    row_labels[row] = NONE;
    return;
  }
  if (SHUFFLE == 1u) {
    sample = permute(state.seed, state.epoch, sample, SAMPLES, HALF_BITS);
  }
  var draw = vec3u(PAD, PAD, 0u);
  if (AUGMENT == 1u) {
    let words = pcg4d(vec4u(state.seed, STREAM_AUGMENT, state.epoch, sample));
    let positions = 2u * PAD + 1u;
    draw = vec3u(words.x % positions, words.y % positions, FLIP * (words.z >> 31u));
  }
  rows[row] = vec4u(sample, draw);
  row_labels[row] = (labels[sample >> 2u] >> (8u * (sample & 3u))) & 0xffu;
}
