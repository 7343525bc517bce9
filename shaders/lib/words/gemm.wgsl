// The packed rows of a matrix, as the bodies of products of signs read them.
//!gives advance, COLUMNS, DEPTH, dots_of, first_word, ROWS, walk_to
//!include "lib/epilogue/dots.wgsl"

override M: u32;
override N: u32;
override K: u32;

override ROWS = M;
override COLUMNS = N;
override DEPTH = (K + 31u) / 32u;

fn first_word(row: u32) -> u32 {
  return row * DEPTH;
}

// A place in the words of a row.
struct Walk {
  offset: u32,
}

fn walk_to(index: u32) -> Walk {
  return Walk(index);
}

fn advance(walk: Walk, step: u32) -> Walk {
  return Walk(walk.offset + step);
}

fn dots_of(row: u32, quad: u32, second: u32, d: vec4u, e: vec4u) -> Dots {
  return Dots(vec4i(i32(K)) - 2 * vec4i(d), vec4i(i32(K)) - 2 * vec4i(e));
}
