// Weight decay: the gradient of STRENGTH w^2 / 2.
override STRENGTH: f32;

fn penalized(w: f32, g: f32) -> f32 {
  return g + STRENGTH * w;
}
