// The body of products of reals with signs through workgroup memory: a workgroup makes 32 rows of 128 columns, sixteen terms
// at a time, and each of its invocations four rows of sixteen columns. Terms are added in the order in which the kernels
// without workgroup memory add them, so that results are the same to the bit. It needs:
//   ROWS, COLUMNS, TERMS: the extents of the product, COLUMNS and TERMS multiples of 4
//   WORDS: words of a packed row of the signs
//   reals_at(row, term): four terms of a row, from a term that is a multiple of 4
//   word_at(term, word): a word of the signs of a term
//   store(row, column, sums): takes four columns of a row
//!needs reals_at, ROWS, store, TERMS, word_at, WORDS
//!include "lib/tile/sign_rows.wgsl"

const STEP = 16u; // terms

var<workgroup> reals: array<vec4f, 128>; // [32 rows, STEP / 4]
var<workgroup> signs: array<u32, 64>; // [STEP, 4 words]

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let index = local.y * 8u + local.x;
  let first_row = group.y * 32u;
  let first_word = group.x * 4u;
  // What lies beyond the last row or column repeats it, and isn't stored.
  let upper = min(first_row + index / 4u, ROWS - 1u);
  let lower = min(first_row + 16u + index / 4u, ROWS - 1u);
  let word = min(first_word + index % 4u, WORDS - 1u);
  let half = top_factor(local.x % 2u * 16u);

  var sums = Rows();
  for (var i = 0u; i < TERMS; i += STEP) {
    let term = min(i + index % 4u * 4u, TERMS - 4u);
    reals[index] = reals_at(upper, term);
    reals[index + 64u] = reals_at(lower, term);
    signs[index] = word_at(min(i + index / 4u, TERMS - 1u), word);
    workgroupBarrier();
    for (var k = 0u; k < min(STEP, TERMS - i) / 4u; k++) {
      let first = 16u * k + local.x / 2u;
      let words = half * vec4u(signs[first], signs[first + 4u], signs[first + 8u], signs[first + 12u]);
      let mine = local.y * 16u + k;
      sums = add_products(sums, words, mat4x4f(reals[mine], reals[mine + 4u], reals[mine + 8u], reals[mine + 12u]));
    }
    workgroupBarrier();
  }
  let row = first_row + local.y * 4u;
  let column = group.x * 128u + local.x * 16u;
  for (var e = 0u; e < 4u; e++) {
    store(row, column + 4u * e, sums.r0[e]);
    store(row + 1u, column + 4u * e, sums.r1[e]);
    store(row + 2u, column + 4u * e, sums.r2[e]);
    store(row + 3u, column + 4u * e, sums.r3[e]);
  }
}
