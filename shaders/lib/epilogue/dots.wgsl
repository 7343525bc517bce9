// Dot products of a row with two quads of columns.
//!gives Dots
struct Dots {
  left: vec4i,
  right: vec4i,
}
