// Sums of real activations with signs: a sign is turned into the scale with that sign, so that nothing is left to do for a group.
// Bits are moved by multiplying with powers of two (`lib/tile/signs.wgsl` says why).
//!needs four_reals, row_scale, TERNARY
//!gives accumulate, close_word, Four, four, Signs, signs_at, Sums, total
//!include "lib/grouped/weights.wgsl"
alias Four = vec4f;
alias Signs = mat4x4f;
alias Sums = vec4f;

fn four(at: u32) -> Four {
  return four_reals(at);
}

// The weights at one bit of four words, which a factor makes the top one.
fn scaled_signs(weights: Weights, scales: vec4f, factor: u32) -> vec4f {
  let signs = bitcast<vec4f>(((weights.words * factor) & vec4u(0x80000000u)) ^ bitcast<vec4u>(scales));
  if (TERNARY == 0u) {
    return signs;
  }
  return select(vec4f(), signs, ((weights.kept * factor) & vec4u(0x80000000u)) != vec4u());
}

// Weights at four neighbouring bits of four words: column e holds those at bit `first + e`, first <= 28.
fn signs_at(weights: Weights, scales: vec4f, first: u32) -> Signs {
  let factor = 0x10000000u >> first;
  return mat4x4f(
    scaled_signs(weights, scales, 8u * factor),
    scaled_signs(weights, scales, 4u * factor),
    scaled_signs(weights, scales, 2u * factor),
    scaled_signs(weights, scales, factor),
  );
}

fn accumulate(sums: Sums, signs: Signs, x: Four) -> Sums {
  return sums + signs * x;
}

fn close_word(sums: Sums, scales: vec4f) -> Sums {
  return sums;
}

fn total(sums: Sums, row: u32) -> vec4f {
  return sums * row_scale(row);
}
