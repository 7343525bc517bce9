// Drawn away from the middle of the values or towards it: the distance changes by AMOUNT of itself at most.
override AMOUNT: f32;

fn changed(value: f32, here: vec2f, extent: vec2f, range: vec2f, random: vec4f) -> f32 {
  return value + AMOUNT * (2.0 * random.x - 1.0) * (value - range.x);
}
