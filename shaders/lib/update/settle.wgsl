// Where latent weights stay.
//!needs Lane, LaneBits
//!gives settle
override CLIP_LATENT: u32; // 1: in [-1, 1]

// Clips, but lets a NaN through: it must be seen, not turned into a weight.
fn settle(w: Lane) -> Lane {
  let is_nan = (bitcast<LaneBits>(w) & LaneBits(0x7fffffffu)) > LaneBits(0x7f800000u);
  let clipped = clamp(w, Lane(-1.0), Lane(1.0));
  return select(w, select(clipped, w, is_nan), CLIP_LATENT == 1u);
}
