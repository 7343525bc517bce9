// Products of packed signs in register tiles of four rows and eight columns, so that each word of a row meets eight columns
// and each word of a column four rows. It needs, of what includes it:
//   a: array<u32>, and first_word(row), walk_to(index), advance(walk, step): where a row's words lie in it
//   w: array<vec4u>, words [DEPTH, COLUMNS]
//   ROWS, COLUMNS (a multiple of 4), DEPTH: the extents of the product, DEPTH in words
//   store(row, quad, second, d, e): takes the signs that differ in a row and the columns of quad (d) and of quad + second
//     (e); second is 0 where quad is the last, and then there is no e
//!needs a, advance, COLUMNS, DEPTH, first_word, ROWS, store, w, walk_to
//!gives tile, TILE_ROWS
const TILE_ROWS = 4u;

// The tile from a row that is a multiple of TILE_ROWS, below ROWS, and a quad of columns that is even, below COLUMNS / 4.
fn tile(row: u32, quad: u32) {
  let quads = COLUMNS / 4u;
  let second = min(quad + 1u, quads - 1u) - quad;
  // Rows beyond the last one repeat it, and aren't stored.
  let a0 = first_word(row);
  let a1 = first_word(min(row + 1u, ROWS - 1u));
  let a2 = first_word(min(row + 2u, ROWS - 1u));
  let a3 = first_word(min(row + 3u, ROWS - 1u));

  var d0 = vec4u();
  var e0 = vec4u();
  var d1 = vec4u();
  var e1 = vec4u();
  var d2 = vec4u();
  var e2 = vec4u();
  var d3 = vec4u();
  var e3 = vec4u();
  var walk = walk_to(0u);
  var weight = quad;
  for (var i = 0u; i < DEPTH; i++) {
    let w0 = w[weight];
    let w1 = w[weight + second];
    weight += quads;
    let v0 = vec4u(a[a0 + walk.offset]);
    d0 += countOneBits(v0 ^ w0);
    e0 += countOneBits(v0 ^ w1);
    let v1 = vec4u(a[a1 + walk.offset]);
    d1 += countOneBits(v1 ^ w0);
    e1 += countOneBits(v1 ^ w1);
    let v2 = vec4u(a[a2 + walk.offset]);
    d2 += countOneBits(v2 ^ w0);
    e2 += countOneBits(v2 ^ w1);
    let v3 = vec4u(a[a3 + walk.offset]);
    d3 += countOneBits(v3 ^ w0);
    e3 += countOneBits(v3 ^ w1);
    walk = advance(walk, 1u);
  }
  store(row, quad, second, d0, e0);
  store(row + 1u, quad, second, d1, e1);
  store(row + 2u, quad, second, d2, e2);
  store(row + 3u, quad, second, d3, e3);
}
