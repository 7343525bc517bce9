// y = (x - mean) * gamma * inverse_std + beta as `norm/apply` computes it, of which only two bits are written: its sign
// (bit 1 where y < 0; 0 and NaN count as +1) and the gate of the straight-through estimator (bit 1 where |y| <= CLIP).
// One invocation makes one word of each; tail bits are 0.
//!needs Lane, LaneBits, mask_of, negative_lanes, WIDTH
//!gives bits, x
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override CLIP: f32; // positive
override HAS_GAMMA: u32; // 0: gamma is another tensor, and is taken for 1
override HAS_BETA: u32; // 0: beta is another tensor, and is taken for 0

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(2) var<storage, read> inverse_std: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(3) var<storage, read> gamma: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(4) var<storage, read> beta: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(5) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(6) var<storage, read_write> gate: array<u32>; // [ROWS, ceil(CHANNELS / 32)]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words) {
    return;
  }
  let first = (index % words) * 32u;
  let count = min(32u, CHANNELS - first);
  let origin = (index / words * CHANNELS + first) / WIDTH;
  // Magnitudes of floats are ordered as their bits are, which NaN and subnormals obey too.
  let most = LaneBits(bitcast<u32>(CLIP));
  var signs = 0u;
  var passes = 0u;
  for (var i = 0u; i < count; i += WIDTH) {
    let lane = (first + i) / WIDTH;
    var scale = inverse_std[lane];
    if (HAS_GAMMA == 1u) {
      scale *= gamma[lane];
    }
    var shift = Lane(0.0);
    if (HAS_BETA == 1u) {
      shift = beta[lane];
    }
    let y = (x[origin + i / WIDTH] - mean[lane]) * scale + shift;
    signs |= negative_lanes(y) << i;
    passes |= mask_of((bitcast<LaneBits>(y) & LaneBits(0x7fffffffu)) <= most) << i;
  }
  bits[index] = signs;
  gate[index] = passes;
}
