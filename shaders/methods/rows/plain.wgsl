// A value that is its sign.
struct Learned {
  none: f32,
}

fn rule_argument(x: f32, row: RowStatistics, own: Learned) -> f32 {
  return x;
}

fn rule_slope(x: f32, row: RowStatistics, own: Learned) -> f32 {
  return 1.0;
}

fn rule_scale(row: RowStatistics, own: Learned) -> f32 {
  return 1.0;
}

fn rule_offset(row: RowStatistics, own: Learned) -> f32 {
  return 0.0;
}

fn rule_learning(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec4f {
  return vec4f();
}

fn rule_through(x: f32, sign: f32, passed: f32, row: RowStatistics, own: Learned) -> vec3f {
  return vec3f();
}
