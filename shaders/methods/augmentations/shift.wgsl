// Moved along both axes, by AMOUNT of the extent at most.
override AMOUNT: f32;

fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f {
  return here + AMOUNT * extent * (2.0 * random.xy - 1.0);
}
