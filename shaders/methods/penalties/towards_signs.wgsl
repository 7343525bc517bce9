// The gradient of STRENGTH (1 - w^2), which is least at -1 and 1.
override STRENGTH: f32;

fn penalized(w: f32, g: f32) -> f32 {
  return g - 2.0 * STRENGTH * w;
}
