// Made larger or smaller about the centre: a pixel is taken from up to AMOUNT nearer or farther.
override AMOUNT: f32;

fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f {
  return here * (1.0 + AMOUNT * (2.0 * random.x - 1.0));
}
