// m <- (1 - gamma) m + gamma g; a weight flips when w * m > threshold with the updated m (Helwegen et al. 2019,
// algorithm 1). One invocation takes the up to 32 weights of one packed word.
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override FILTER_ROWS: u32;
override HAS_LATENT: u32; // 0: there are no weights as floats, and `latent` is a placeholder

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> latent: array<Lane>; // f32 [ROWS, CHANNELS]: becomes the signs
@group(0) @binding(3) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(4) var<storage, read_write> m: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(5) var<storage, read_write> flips: array<atomic<u32>>; // [ROWS / FILTER_ROWS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words || state.halted != 0u) {
    return;
  }
  let row = index / words;
  let first = (index % words) * 32u;
  let count = min(32u, CHANNELS - first);
  let origin = (row * CHANNELS + first) / WIDTH;
  let gamma = state.hyper.y;
  let threshold = Lane(state.hyper.z);
  let word = bits[index];
  var flipped = 0u;
  for (var i = 0u; i < count; i += WIDTH) {
    let at = origin + i / WIDTH;
    let moment = m[at] + gamma * (grad[at] - m[at]);
    let w = signs_of(word >> i);
    let flip = w * moment > threshold;
    m[at] = moment;
    flipped |= mask_of(flip) << i;
    if (HAS_LATENT == 1u) {
      latent[at] = select(w, -w, flip);
    }
  }
  if (flipped != 0u) {
    bits[index] = word ^ flipped;
    atomicAdd(&flips[row / FILTER_ROWS], countOneBits(flipped));
  }
}
