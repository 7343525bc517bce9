// What optimizers of latent weights share. One invocation takes the up to 32 weights of one packed word.
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override ROWS: u32; // rows of CHANNELS weights, all filters together
override CHANNELS: u32;
override FILTER_ROWS: u32; // rows of one filter
override STEP_SCALE: f32; // multiplies the step size
override GATE: u32; // what the gradient is multiplied by, as a function of the latent weight
override GATE_CLIP: f32; // where steSign's gradient ends
override CLIP: u32; // 1: latent weights stay in [-1, 1]

const STE_SIGN = 1u;
const APPROX_SIGN = 2u;
const SWISH_SIGN = 3u;
const SWISH_BETA = 5.0;

// Derivative that stands in for that of the sign.
fn gate(w: Lane) -> Lane {
  let size = abs(w);
  switch (GATE) {
    case STE_SIGN: {
      return select(Lane(0.0), Lane(1.0), size <= Lane(GATE_CLIP));
    }
    case APPROX_SIGN: {
      return select(Lane(0.0), 2.0 - 2.0 * size, size <= Lane(1.0));
    }
    case SWISH_SIGN: {
      // Even in w. Beyond 16 it is below 1e-30, and cosh would overflow.
      let z = SWISH_BETA * min(size, Lane(16.0));
      return SWISH_BETA * (2.0 - z * tanh(0.5 * z)) / (1.0 + cosh(z));
    }
    default: {
      return Lane(1.0);
    }
  }
}

// Clips, but lets a NaN through: it must be seen, not turned into a weight.
fn settle(w: Lane) -> Lane {
  let is_nan = (bitcast<LaneBits>(w) & LaneBits(0x7fffffffu)) > LaneBits(0x7f800000u);
  let clipped = clamp(w, Lane(-1.0), Lane(1.0));
  return select(w, select(clipped, w, is_nan), CLIP == 1u);
}
