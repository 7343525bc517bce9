// The body of products of packed signs that share their loads within quads of invocations: one invocation makes sixteen
// rows of four columns. The four of a quad have the same rows, so each loads one of four words of a row and swaps it with
// the others: a quarter of the loads. Each then has the words in an order of its own, and reads its columns in that order:
// software adapters swap in one instruction, and take twenty to broadcast. That holds where quads are neighbours in the
// workgroup, as they are on every adapter so far; on hardware it is chosen only where a measurement compared its results.
// It needs what `lib/tile/binary.wgsl` needs, and first_two, count_four and total of `lib/count/*.wgsl`.
//!needs a, advance, COLUMNS, count_four, DEPTH, first_two, first_word, ROWS, walk_to
//!gives count_tile, differing, LANES, TILE_ROWS
//!include "lib/tile/binary_columns.wgsl"
//!include "lib/words/weights.wgsl"

const TILE_ROWS = 16u;
const LANES = 16u; // invocations side by side
// Words that the loop counts, four a round: all but one or two at the end, which come first. Three make a round, with a zero.
override FOURS = DEPTH - DEPTH % 4u + select(0u, 4u, DEPTH % 4u == 3u);

// Takes in four words of a row, of which this invocation holds one: that of w0. w1 to w3 are of the words of its
// neighbours beside, below and across.
fn count_row(c: Columns, mine: u32, w0: vec4u, w1: vec4u, w2: vec4u, w3: vec4u) -> Columns {
  let x0 = mine;
  let x1 = quadSwapX(mine);
  let x2 = quadSwapY(mine);
  let x3 = quadSwapDiagonal(mine);
  return Columns(
    count_four(c.x, x0 ^ w0.x, x1 ^ w1.x, x2 ^ w2.x, x3 ^ w3.x),
    count_four(c.y, x0 ^ w0.y, x1 ^ w1.y, x2 ^ w2.y, x3 ^ w3.y),
    count_four(c.z, x0 ^ w0.z, x1 ^ w1.z, x2 ^ w2.z, x3 ^ w3.z),
    count_four(c.w, x0 ^ w0.w, x1 ^ w1.w, x2 ^ w2.w, x3 ^ w3.w),
  );
}

// Takes in the words that fours leave over, two at most, of which this invocation holds one: that of w0.
fn first_of_row(mine: u32, w0: vec4u, w1: vec4u) -> Columns {
  let x0 = mine;
  let x1 = quadSwapX(mine);
  return Columns(
    first_two(x0 ^ w0.x, x1 ^ w1.x),
    first_two(x0 ^ w0.y, x1 ^ w1.y),
    first_two(x0 ^ w0.z, x1 ^ w1.z),
    first_two(x0 ^ w0.w, x1 ^ w1.w),
  );
}

// The signs that differ, by row: what is made of them stands in loops, so that compilers see it once and not sixteen times.
var<private> differing: array<vec4u, TILE_ROWS>;

// Counts them for the rows from `row` on, which is the same for a whole quad and below ROWS, and a quad of columns.
fn count_tile(row: u32, quad: u32, lane: u32) {
  let quads = COLUMNS / 4u;
  // Rows and columns beyond the last ones repeat them, and aren't stored.
  let a0 = first_word(row);
  let a1 = first_word(min(row + 1u, ROWS - 1u));
  let a2 = first_word(min(row + 2u, ROWS - 1u));
  let a3 = first_word(min(row + 3u, ROWS - 1u));
  let a4 = first_word(min(row + 4u, ROWS - 1u));
  let a5 = first_word(min(row + 5u, ROWS - 1u));
  let a6 = first_word(min(row + 6u, ROWS - 1u));
  let a7 = first_word(min(row + 7u, ROWS - 1u));
  let a8 = first_word(min(row + 8u, ROWS - 1u));
  let a9 = first_word(min(row + 9u, ROWS - 1u));
  let a10 = first_word(min(row + 10u, ROWS - 1u));
  let a11 = first_word(min(row + 11u, ROWS - 1u));
  let a12 = first_word(min(row + 12u, ROWS - 1u));
  let a13 = first_word(min(row + 13u, ROWS - 1u));
  let a14 = first_word(min(row + 14u, ROWS - 1u));
  let a15 = first_word(min(row + 15u, ROWS - 1u));

  let column = min(quad, quads - 1u);
  let part = lane & 3u;

  // What fours leave over comes first: counters that hold nothing yet take in two words for much less than a round of four.
  let rest = FOURS + (part & 1u);
  let beside = FOURS + ((part & 1u) ^ 1u);
  let first = walk_to(min(rest, DEPTH - 1u)).offset;
  let mask = select(0u, 0xffffffffu, rest < DEPTH);
  let v0 = weights_at(rest, column);
  let v1 = weights_at(beside, column);
  var c0 = first_of_row(a[a0 + first] & mask, v0, v1);
  var c1 = first_of_row(a[a1 + first] & mask, v0, v1);
  var c2 = first_of_row(a[a2 + first] & mask, v0, v1);
  var c3 = first_of_row(a[a3 + first] & mask, v0, v1);
  var c4 = first_of_row(a[a4 + first] & mask, v0, v1);
  var c5 = first_of_row(a[a5 + first] & mask, v0, v1);
  var c6 = first_of_row(a[a6 + first] & mask, v0, v1);
  var c7 = first_of_row(a[a7 + first] & mask, v0, v1);
  var c8 = first_of_row(a[a8 + first] & mask, v0, v1);
  var c9 = first_of_row(a[a9 + first] & mask, v0, v1);
  var c10 = first_of_row(a[a10 + first] & mask, v0, v1);
  var c11 = first_of_row(a[a11 + first] & mask, v0, v1);
  var c12 = first_of_row(a[a12 + first] & mask, v0, v1);
  var c13 = first_of_row(a[a13 + first] & mask, v0, v1);
  var c14 = first_of_row(a[a14 + first] & mask, v0, v1);
  var c15 = first_of_row(a[a15 + first] & mask, v0, v1);

  var walk = walk_to(part);
  for (var i = 0u; i < FOURS; i += 4u) {
    let w0 = weights_at(i + part, column);
    let w1 = weights_at(i + (part ^ 1u), column);
    let w2 = weights_at(i + (part ^ 2u), column);
    let w3 = weights_at(i + (part ^ 3u), column);
    let within = select(0u, 0xffffffffu, i + part < DEPTH);
    c0 = count_row(c0, a[a0 + walk.offset] & within, w0, w1, w2, w3);
    c1 = count_row(c1, a[a1 + walk.offset] & within, w0, w1, w2, w3);
    c2 = count_row(c2, a[a2 + walk.offset] & within, w0, w1, w2, w3);
    c3 = count_row(c3, a[a3 + walk.offset] & within, w0, w1, w2, w3);
    c4 = count_row(c4, a[a4 + walk.offset] & within, w0, w1, w2, w3);
    c5 = count_row(c5, a[a5 + walk.offset] & within, w0, w1, w2, w3);
    c6 = count_row(c6, a[a6 + walk.offset] & within, w0, w1, w2, w3);
    c7 = count_row(c7, a[a7 + walk.offset] & within, w0, w1, w2, w3);
    c8 = count_row(c8, a[a8 + walk.offset] & within, w0, w1, w2, w3);
    c9 = count_row(c9, a[a9 + walk.offset] & within, w0, w1, w2, w3);
    c10 = count_row(c10, a[a10 + walk.offset] & within, w0, w1, w2, w3);
    c11 = count_row(c11, a[a11 + walk.offset] & within, w0, w1, w2, w3);
    c12 = count_row(c12, a[a12 + walk.offset] & within, w0, w1, w2, w3);
    c13 = count_row(c13, a[a13 + walk.offset] & within, w0, w1, w2, w3);
    c14 = count_row(c14, a[a14 + walk.offset] & within, w0, w1, w2, w3);
    c15 = count_row(c15, a[a15 + walk.offset] & within, w0, w1, w2, w3);
    walk = advance(walk, 4u);
  }
  differing[0] = totals(c0);
  differing[1] = totals(c1);
  differing[2] = totals(c2);
  differing[3] = totals(c3);
  differing[4] = totals(c4);
  differing[5] = totals(c5);
  differing[6] = totals(c6);
  differing[7] = totals(c7);
  differing[8] = totals(c8);
  differing[9] = totals(c9);
  differing[10] = totals(c10);
  differing[11] = totals(c11);
  differing[12] = totals(c12);
  differing[13] = totals(c13);
  differing[14] = totals(c14);
  differing[15] = totals(c15);
}
