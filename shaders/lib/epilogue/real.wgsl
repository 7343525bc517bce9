// What becomes of a binary layer's dot products on their way out as reals: a clamp, a multiplier and a bias per channel (in
// this order, as in Larq Compute Engine), then a residual, then a PReLU. It needs alias Lane, f32 or vec4f: neighbouring
// channels that are finished together.
//!needs Lane
//!gives finish
override LOWEST: f32; // of the clamp
override HIGHEST: f32;
override HAS_SCALE: u32; // 1: multiplier and bias are applied; 0: they are not read
override HAS_RESIDUAL: u32; // 1: residual is added; 0: it is not read
override HAS_SLOPE: u32; // 1: slope multiplies what is negative; 0: it is not read

@group(0) @binding(2) var<storage, read> multiplier: array<Lane>; // f32 [OUT_CHANNELS]
@group(0) @binding(3) var<storage, read> bias: array<Lane>; // f32 [OUT_CHANNELS]
@group(0) @binding(4) var<storage, read> slope: array<Lane>; // f32 [OUT_CHANNELS]
@group(0) @binding(5) var<storage, read> residual: array<Lane>; // f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]

// `channel` counts lanes of channels, `at` those of the output.
fn finish(dot: Lane, channel: u32, at: u32) -> Lane {
  var y = clamp(dot, Lane(LOWEST), Lane(HIGHEST));
  if (HAS_SCALE == 1u) {
    y = y * multiplier[channel] + bias[channel];
  }
  if (HAS_RESIDUAL == 1u) {
    y += residual[at];
  }
  if (HAS_SLOPE == 1u) {
    y = select(y * slope[channel], y, y >= Lane(0.0));
  }
  return y;
}
