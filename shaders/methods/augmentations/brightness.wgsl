// Made brighter or darker, by AMOUNT of the span of the values at most.
override AMOUNT: f32;

fn changed(value: f32, here: vec2f, extent: vec2f, range: vec2f, random: vec4f) -> f32 {
  return value + AMOUNT * range.y * (2.0 * random.x - 1.0);
}
