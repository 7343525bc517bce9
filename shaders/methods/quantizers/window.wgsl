// 1 where |x| <= CLIP, else 0 (Hubara et al. 2016).
override CLIP: f32; // positive

fn gradient(x: f32) -> f32 {
  // Magnitudes of floats are ordered as their bits are, which NaN and subnormals obey too: NaN passes nothing.
  return select(0.0, 1.0, (bitcast<u32>(x) & 0x7fffffffu) <= bitcast<u32>(CLIP));
}
