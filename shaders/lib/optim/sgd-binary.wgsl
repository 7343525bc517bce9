//!include "lib/optim/latent.wgsl"

override MOMENTUM: f32;
override HAS_VELOCITY: u32; // 0: there is no momentum, and `velocity` is a placeholder

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read_write> latent: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(3) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(4) var<storage, read_write> velocity: array<Lane>; // f32 [ROWS, CHANNELS]
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
  let rate = state.hyper.x * STEP_SCALE;
  var word = 0u;
  for (var i = 0u; i < count; i += WIDTH) {
    let at = origin + i / WIDTH;
    let w = latent[at];
    var change = grad[at] * gate(w);
    if (HAS_VELOCITY == 1u) {
      change += MOMENTUM * velocity[at];
      velocity[at] = change;
    }
    let stepped = settle(w - rate * change);
    latent[at] = stepped;
    word |= negative_lanes(stepped) << i;
  }
  let flipped = countOneBits(word ^ bits[index]);
  if (flipped != 0u) {
    bits[index] = word;
    atomicAdd(&flips[row / FILTER_ROWS], flipped);
  }
}
