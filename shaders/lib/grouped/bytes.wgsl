// Sums of activations of a byte each with signs, by dot products of packed bytes: integers for a word of signs, which are then
// scaled.
//!needs TERNARY, x, x_scales
//!gives accumulate, close_word, Four, four, Signs, signs_at, Sums, total
//!include "lib/grouped/weights.wgsl"
alias Four = u32; // bytes, two's complement
alias Signs = vec4u; // of each column four bytes: +1, -1 or 0
struct Sums {
  scaled: vec4f,
  word: vec4i,
}

fn four(at: u32) -> Four {
  return x[at];
}

// Four neighbouring bits of words as bytes of 0 or 1; first <= 28. A factor moves them up (`lib/tile/signs.wgsl` says why).
fn bytes_of(words: vec4u, first: u32) -> vec4u {
  let upper = words * (0x10000000u >> first);
  return ((upper >> vec4u(28u)) * 0x00204081u) & vec4u(0x01010101u);
}

fn signs_at(weights: Weights, scales: vec4f, first: u32) -> Signs {
  let signs = (bytes_of(weights.words, first) * 255u) | vec4u(0x01010101u);
  if (TERNARY == 0u) {
    return signs;
  }
  return signs & (bytes_of(weights.kept, first) * 255u);
}

fn accumulate(sums: Sums, signs: Signs, four: Four) -> Sums {
  let dots = vec4i(
    dot4I8Packed(signs.x, four),
    dot4I8Packed(signs.y, four),
    dot4I8Packed(signs.z, four),
    dot4I8Packed(signs.w, four),
  );
  return Sums(sums.scaled, sums.word + dots);
}

fn close_word(sums: Sums, scales: vec4f) -> Sums {
  return Sums(sums.scaled + scales * vec4f(sums.word), vec4i());
}

fn total(sums: Sums, row: u32) -> vec4f {
  return sums.scaled * x_scales[row];
}
