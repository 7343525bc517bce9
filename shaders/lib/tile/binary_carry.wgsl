// The body of products of packed signs that count by carry-save adders: one invocation makes eight rows of four columns,
// eight words at a time. It needs what `lib/tile/binary.wgsl` needs, and count_eight and total of
// `lib/count/*.wgsl`.
//!needs a, advance, COLUMNS, count_eight, DEPTH, first_word, linear_index, ROWS, store, walk_to
//!include "lib/tile/binary_columns.wgsl"
//!include "lib/words/weights.wgsl"

const TILE_ROWS = 8u;

// Where eight words of a row lie, from its first one on, and whether the row has them.
struct Places {
  low: vec4u,
  high: vec4u,
  has_low: vec4<bool>,
  has_high: vec4<bool>,
}

fn places_from(i: u32) -> Places {
  let s0 = walk_to(i);
  let s1 = advance(s0, 1u);
  let s2 = advance(s1, 1u);
  let s3 = advance(s2, 1u);
  let s4 = advance(s3, 1u);
  let s5 = advance(s4, 1u);
  let s6 = advance(s5, 1u);
  let s7 = advance(s6, 1u);
  let indices = vec4u(i, i + 1u, i + 2u, i + 3u);
  return Places(
    vec4u(s0.offset, s1.offset, s2.offset, s3.offset),
    vec4u(s4.offset, s5.offset, s6.offset, s7.offset),
    indices < vec4u(DEPTH),
    indices + 4u < vec4u(DEPTH),
  );
}

// Eight words of four columns.
struct Weights {
  w0: vec4u,
  w1: vec4u,
  w2: vec4u,
  w3: vec4u,
  w4: vec4u,
  w5: vec4u,
  w6: vec4u,
  w7: vec4u,
}

fn weights_from(row: u32, quad: u32) -> Weights {
  return Weights(
    weights_at(row + 0u, quad),
    weights_at(row + 1u, quad),
    weights_at(row + 2u, quad),
    weights_at(row + 3u, quad),
    weights_at(row + 4u, quad),
    weights_at(row + 5u, quad),
    weights_at(row + 6u, quad),
    weights_at(row + 7u, quad),
  );
}

// Takes in eight words of the row that begins at `first`.
fn count_row(c: Columns, first: u32, at: Places, b: Weights) -> Columns {
  let low = select(
    vec4u(),
    vec4u(a[first + at.low.x], a[first + at.low.y], a[first + at.low.z], a[first + at.low.w]),
    at.has_low,
  );
  let high = select(
    vec4u(),
    vec4u(a[first + at.high.x], a[first + at.high.y], a[first + at.high.z], a[first + at.high.w]),
    at.has_high,
  );
  return Columns(
    count_eight(
      c.x,
      low.x ^ b.w0.x,
      low.y ^ b.w1.x,
      low.z ^ b.w2.x,
      low.w ^ b.w3.x,
      high.x ^ b.w4.x,
      high.y ^ b.w5.x,
      high.z ^ b.w6.x,
      high.w ^ b.w7.x,
    ),
    count_eight(
      c.y,
      low.x ^ b.w0.y,
      low.y ^ b.w1.y,
      low.z ^ b.w2.y,
      low.w ^ b.w3.y,
      high.x ^ b.w4.y,
      high.y ^ b.w5.y,
      high.z ^ b.w6.y,
      high.w ^ b.w7.y,
    ),
    count_eight(
      c.z,
      low.x ^ b.w0.z,
      low.y ^ b.w1.z,
      low.z ^ b.w2.z,
      low.w ^ b.w3.z,
      high.x ^ b.w4.z,
      high.y ^ b.w5.z,
      high.z ^ b.w6.z,
      high.w ^ b.w7.z,
    ),
    count_eight(
      c.w,
      low.x ^ b.w0.w,
      low.y ^ b.w1.w,
      low.z ^ b.w2.w,
      low.w ^ b.w3.w,
      high.x ^ b.w4.w,
      high.y ^ b.w5.w,
      high.z ^ b.w6.w,
      high.w ^ b.w7.w,
    ),
  );
}

// The signs that differ, by row. Stored in a loop, so that compilers see what becomes of them once and not eight times.
var<private> differing: array<vec4u, TILE_ROWS>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let quads = COLUMNS / 4u;
  let index = linear_index(id, groups, 64u);
  let quad = index % quads;
  let row = index / quads * TILE_ROWS;
  if (row >= ROWS) {
    return;
  }
  // Rows beyond the last one repeat it, and aren't stored.
  let a0 = first_word(row);
  let a1 = first_word(min(row + 1u, ROWS - 1u));
  let a2 = first_word(min(row + 2u, ROWS - 1u));
  let a3 = first_word(min(row + 3u, ROWS - 1u));
  let a4 = first_word(min(row + 4u, ROWS - 1u));
  let a5 = first_word(min(row + 5u, ROWS - 1u));
  let a6 = first_word(min(row + 6u, ROWS - 1u));
  let a7 = first_word(min(row + 7u, ROWS - 1u));

  var c0 = Columns();
  var c1 = Columns();
  var c2 = Columns();
  var c3 = Columns();
  var c4 = Columns();
  var c5 = Columns();
  var c6 = Columns();
  var c7 = Columns();
  for (var i = 0u; i < DEPTH; i += 8u) {
    let at = places_from(i);
    let b = weights_from(i, quad);
    c0 = count_row(c0, a0, at, b);
    c1 = count_row(c1, a1, at, b);
    c2 = count_row(c2, a2, at, b);
    c3 = count_row(c3, a3, at, b);
    c4 = count_row(c4, a4, at, b);
    c5 = count_row(c5, a5, at, b);
    c6 = count_row(c6, a6, at, b);
    c7 = count_row(c7, a7, at, b);
  }
  differing[0] = totals(c0);
  differing[1] = totals(c1);
  differing[2] = totals(c2);
  differing[3] = totals(c3);
  differing[4] = totals(c4);
  differing[5] = totals(c5);
  differing[6] = totals(c6);
  differing[7] = totals(c7);
  for (var r = 0u; r < TILE_ROWS; r++) {
    store(row + r, quad, 0u, differing[r], vec4u());
  }
}
