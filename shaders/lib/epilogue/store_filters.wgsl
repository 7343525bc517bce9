// Where channels come in fours: eight channels of a filter's tap as two vectors.
//!needs CHANNELS, out, OUT_CHANNELS
//!gives store
fn store(o: u32, first: u32, quad: u32, d: vec4f, e: vec4f) {
  if (o >= OUT_CHANNELS) {
    return;
  }
  let quads = CHANNELS / 4u;
  if (quad < quads) {
    out[first / 4u + quad] = d;
  }
  if (quad + 1u < quads) {
    out[first / 4u + quad + 1u] = e;
  }
}
