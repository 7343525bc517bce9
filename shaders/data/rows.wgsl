// Decides what each row of the batch holds: which sample, where that lies, how it is augmented, and its class. A data set
// lies in GPU memory as a whole, or as a window of SLOTS batches that are written before they are needed.
//!include "lib/state.wgsl"
//!include "lib/random.wgsl"

override SAMPLES: u32;
override BATCH: u32;
override SHUFFLE: u32; // 1: the epoch's own order
override HALF_BITS: u32; // feistelHalfBits(SAMPLES)
override PAD: u32;
override AUGMENT: u32; // 1: random crop of the image padded by PAD
override FLIP: u32; // 1: mirror half of the samples
override SLOTS: u32; // batches in memory, each in the order of its rows; 0: all samples, in their own order
override SLOT: u32; // places of a slot
override CLASSES: u32; // 1: labels are classes; 0: `labels` and `row_labels` are placeholders

@group(0) @binding(0) var<storage, read> labels: array<u32>; // u32 [places]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> rows: array<vec4u>; // [BATCH]: place, top, left, 1 if mirrored
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
    if (CLASSES == 1u) {
      row_labels[row] = NONE;
    }
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
  var place = sample;
  if (SLOTS > 0u) {
    place = (state.batch % max(SLOTS, 1u)) * SLOT + row;
  }
  rows[row] = vec4u(place, draw);
  if (CLASSES == 1u) {
    row_labels[row] = labels[place];
  }
}
