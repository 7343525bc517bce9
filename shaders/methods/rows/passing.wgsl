// A gradient that passes everywhere, at every step.
struct Scalars {
  none: f32,
}

fn rule_gradient(x: f32, now: Scalars) -> f32 {
  return 1.0;
}
