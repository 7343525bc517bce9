// Turned about the centre, by DEGREES at most.
override DEGREES: f32;

// What WGSL promises of its own sine is not enough for a pixel: series, whose rest is below 1e-6 up to a quarter turn.
fn taken_from(here: vec2f, extent: vec2f, random: vec4f) -> vec2f {
  let angle = radians(DEGREES) * (2.0 * random.x - 1.0);
  let square = angle * angle;
  let sine = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0 * (1.0 - square / 72.0 * (1.0 - square / 110.0)))));
  let cosine = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0 * (1.0 - square / 90.0))));
  return vec2f(cosine * here.x - sine * here.y, sine * here.x + cosine * here.y);
}
