// Four rows of eight columns an invocation, in registers: each sign that it expands is used four times, each activation eight.
//!needs accumulate, close_word, columns_from, four, GROUP, K, M, N, out, scales_at, signs_at, Sums, total, weights_at, WORDS_OF_GROUP
//!include "lib/tile/row.wgsl"
fn store(row: u32, column: u32, sums: vec4f) {
  if (row < M) {
    for (var i = 0u; i < min(4u, N - min(column, N)); i++) {
      out[row * N + column + i] = sums[i];
    }
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 8u;
  let m = tile_row(id) * 4u;
  if (n >= N || m >= M) {
    return;
  }
  let columns0 = columns_from(n);
  let columns1 = columns_from(n + 4u);
  // Rows beyond the last one repeat it, and aren't stored.
  let row1 = min(m + 1u, M - 1u);
  let row2 = min(m + 2u, M - 1u);
  let row3 = min(m + 3u, M - 1u);
  var at0 = m * (K / 4u);
  var at1 = row1 * (K / 4u);
  var at2 = row2 * (K / 4u);
  var at3 = row3 * (K / 4u);
  var c00 = Sums();
  var c01 = Sums();
  var c10 = Sums();
  var c11 = Sums();
  var c20 = Sums();
  var c21 = Sums();
  var c30 = Sums();
  var c31 = Sums();
  var word = 0u;
  for (var group = 0u; group < K / GROUP; group++) {
    let scales0 = scales_at(columns0, group);
    let scales1 = scales_at(columns1, group);
    for (var i = 0u; i < WORDS_OF_GROUP; i++) {
      let weights0 = weights_at(columns0, word);
      let weights1 = weights_at(columns1, word);
      word++;
      for (var bit = 0u; bit < 32u; bit += 4u) {
        let signs0 = signs_at(weights0, scales0, bit);
        let signs1 = signs_at(weights1, scales1, bit);
        let x0 = four(at0);
        c00 = accumulate(c00, signs0, x0);
        c01 = accumulate(c01, signs1, x0);
        let x1 = four(at1);
        c10 = accumulate(c10, signs0, x1);
        c11 = accumulate(c11, signs1, x1);
        let x2 = four(at2);
        c20 = accumulate(c20, signs0, x2);
        c21 = accumulate(c21, signs1, x2);
        let x3 = four(at3);
        c30 = accumulate(c30, signs0, x3);
        c31 = accumulate(c31, signs1, x3);
        at0++;
        at1++;
        at2++;
        at3++;
      }
      c00 = close_word(c00, scales0);
      c01 = close_word(c01, scales1);
      c10 = close_word(c10, scales0);
      c11 = close_word(c11, scales1);
      c20 = close_word(c20, scales0);
      c21 = close_word(c21, scales1);
      c30 = close_word(c30, scales0);
      c31 = close_word(c31, scales1);
    }
  }
  store(m, n, total(c00, m));
  store(m, n + 4u, total(c01, m));
  store(m + 1u, n, total(c10, row1));
  store(m + 1u, n + 4u, total(c11, row1));
  store(m + 2u, n, total(c20, row2));
  store(m + 2u, n + 4u, total(c21, row2));
  store(m + 3u, n, total(c30, row3));
  store(m + 3u, n + 4u, total(c31, row3));
}
