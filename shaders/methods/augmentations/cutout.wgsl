// A square of SIZE pixels becomes the middle of the values; its centre is any pixel, so that a part of it may lie outside.
override SIZE: f32;

fn changed(value: f32, here: vec2f, extent: vec2f, range: vec2f, random: vec4f) -> f32 {
  let first = floor(random.xy * extent) - floor(0.5 * SIZE);
  let is_inside = all(here >= first) && all(here < first + SIZE);
  return select(value, range.x, is_inside);
}
