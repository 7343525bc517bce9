// Sums of four rows of sixteen columns, to which products of reals with signs are added four at a time.
//!gives add_products, Rows
//!include "lib/tile/signs.wgsl"

// Each column of a matrix holds four of the row's columns.
struct Rows {
  r0: mat4x4f,
  r1: mat4x4f,
  r2: mat4x4f,
  r3: mat4x4f,
}

fn products(s0: mat4x4f, s1: mat4x4f, s2: mat4x4f, s3: mat4x4f, x: vec4f) -> mat4x4f {
  return mat4x4f(s0 * x, s1 * x, s2 * x, s3 * x);
}

// Adds the products of four reals of each row with the signs in the upper halves of four words.
fn add_products(sums: Rows, words: vec4u, x: mat4x4f) -> Rows {
  let s0 = signs_along(words, BITS_0);
  let s1 = signs_along(words, BITS_4);
  let s2 = signs_along(words, BITS_8);
  let s3 = signs_along(words, BITS_12);
  return Rows(
    sums.r0 + products(s0, s1, s2, s3, x[0]),
    sums.r1 + products(s0, s1, s2, s3, x[1]),
    sums.r2 + products(s0, s1, s2, s3, x[2]),
    sums.r3 + products(s0, s1, s2, s3, x[3]),
  );
}
