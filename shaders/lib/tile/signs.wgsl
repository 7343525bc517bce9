// Blocks of 4 x 4 signs out of packed words, for kernels that keep a tile of a product in registers. Bits are moved by
// multiplying with powers of two, which shifts left: compilers for GPUs see the shift where the factor is constant, and
// software adapters multiply four lanes at once but shift them one by one.
//!gives BITS_0, BITS_12, BITS_4, BITS_8, first_bits, signs_across, signs_along, TILE_COLUMNS, top_factor, top_signs
//!include "lib/tile/sums.wgsl"

// The top bit of each word as a sign: 1 is -1, 0 is +1.
fn top_signs(words: vec4u) -> vec4f {
  return bitcast<vec4f>((words & vec4u(0x80000000u)) | vec4u(0x3f800000u));
}

// Signs at four neighbouring bits of four words: column e holds those at bit `first + e`, first <= 28.
fn signs_across(words: vec4u, first: u32) -> mat4x4f {
  let factor = 0x10000000u >> first;
  return mat4x4f(
    top_signs(words * (8u * factor)),
    top_signs(words * (4u * factor)),
    top_signs(words * (2u * factor)),
    top_signs(words * factor),
  );
}

// Columns of a tile: four rows of sixteen, or eight rows of four.
override TILE_COLUMNS = select(4u, 16u, TILE_SUMS == 64u);

// What to multiply a word with so that the bits of a tile's columns, from `first` on, become its upper ones.
fn top_factor(first: u32) -> u32 {
  return (1u << (32u - TILE_COLUMNS)) >> first;
}

// Which of these bits `signs_along` takes for the first four columns.
override FIRST_BIT = 1u << (TILE_COLUMNS - 1u);
fn first_bits() -> vec4u {
  return vec4u(FIRST_BIT, FIRST_BIT / 2u, FIRST_BIT / 4u, FIRST_BIT / 8u);
}

// Which bits of the upper half of a word `signs_along` takes: the first four, the next four, ...
const BITS_0 = vec4u(0x8000u, 0x4000u, 0x2000u, 0x1000u);
const BITS_4 = vec4u(0x0800u, 0x0400u, 0x0200u, 0x0100u);
const BITS_8 = vec4u(0x0080u, 0x0040u, 0x0020u, 0x0010u);
const BITS_12 = vec4u(0x0008u, 0x0004u, 0x0002u, 0x0001u);

// Signs at four neighbouring bits of four words: column e holds those of word e.
fn signs_along(words: vec4u, bits: vec4u) -> mat4x4f {
  return mat4x4f(
    top_signs(words.x * bits),
    top_signs(words.y * bits),
    top_signs(words.z * bits),
    top_signs(words.w * bits),
  );
}
