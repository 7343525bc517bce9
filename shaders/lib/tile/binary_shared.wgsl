// The body of products of packed signs through workgroup memory: a workgroup makes 32 rows of 64 columns, eight words at a
// time, and each of its invocations four rows of eight columns. It needs what `lib/tile/binary.wgsl` needs.
//!needs a, advance, COLUMNS, DEPTH, first_word, ROWS, store, walk_to
//!include "lib/words/weights.wgsl"

const STEP = 8u; // words
const GROUP_ROWS = 32u;
const GROUP_QUADS = 16u;

var<workgroup> row_words: array<u32, 256>; // [GROUP_ROWS, STEP]
var<workgroup> column_words: array<vec4u, 128>; // [STEP, GROUP_QUADS]

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let quads = COLUMNS / 4u;
  let across = (quads + GROUP_QUADS - 1u) / GROUP_QUADS;
  let index = group.y * groups.x + group.x;
  let first_quad = index % across * GROUP_QUADS;
  let first_row = index / across * GROUP_ROWS;

  // What this invocation brings: a word of every eighth row, two quads of columns. Rows and columns beyond the last ones
  // repeat them, and aren't stored.
  let word = local % STEP;
  let bring = first_row + local / STEP;
  let b0 = first_word(min(bring + 0u, ROWS - 1u));
  let b1 = first_word(min(bring + 8u, ROWS - 1u));
  let b2 = first_word(min(bring + 16u, ROWS - 1u));
  let b3 = first_word(min(bring + 24u, ROWS - 1u));
  let quad_brought = min(first_quad + local % GROUP_QUADS, quads - 1u);
  // What it makes.
  let mine = local / 8u * 4u * STEP; // of row_words
  let pair = local % 8u * 2u; // of a row of column_words
  var d0 = vec4u();
  var e0 = vec4u();
  var d1 = vec4u();
  var e1 = vec4u();
  var d2 = vec4u();
  var e2 = vec4u();
  var d3 = vec4u();
  var e3 = vec4u();
  var walk = walk_to(word);
  for (var i = 0u; i < DEPTH; i += STEP) {
    let within = i + word < DEPTH;
    row_words[local + 0u] = select(0u, a[b0 + walk.offset], within);
    row_words[local + 64u] = select(0u, a[b1 + walk.offset], within);
    row_words[local + 128u] = select(0u, a[b2 + walk.offset], within);
    row_words[local + 192u] = select(0u, a[b3 + walk.offset], within);
    walk = advance(walk, STEP);
    let upper = i + local / GROUP_QUADS;
    column_words[local] = weights_at(upper, quad_brought);
    column_words[local + 64u] = weights_at(upper + 4u, quad_brought);
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {
      let w0 = column_words[k * GROUP_QUADS + pair];
      let w1 = column_words[k * GROUP_QUADS + pair + 1u];
      let v0 = vec4u(row_words[mine + 0u * STEP + k]);
      d0 += countOneBits(v0 ^ w0);
      e0 += countOneBits(v0 ^ w1);
      let v1 = vec4u(row_words[mine + 1u * STEP + k]);
      d1 += countOneBits(v1 ^ w0);
      e1 += countOneBits(v1 ^ w1);
      let v2 = vec4u(row_words[mine + 2u * STEP + k]);
      d2 += countOneBits(v2 ^ w0);
      e2 += countOneBits(v2 ^ w1);
      let v3 = vec4u(row_words[mine + 3u * STEP + k]);
      d3 += countOneBits(v3 ^ w0);
      e3 += countOneBits(v3 ^ w1);
    }
    workgroupBarrier();
  }
  let quad = first_quad + pair;
  if (quad >= quads) {
    return;
  }
  let second = min(quad + 1u, quads - 1u) - quad;
  let row = first_row + local / 8u * 4u;
  store(row, quad, second, d0, e0);
  store(row + 1u, quad, second, d1, e1);
  store(row + 2u, quad, second, d2, e2);
  store(row + 3u, quad, second, d3, e3);
}
