// The body of products of packed signs on matrix units. A workgroup makes TILE rows of TILE columns, 64 signs at a time: they
// become bytes of 1 and -1 in workgroup memory, once, and each subgroup multiplies its four rows of two columns of matrices.
// That takes 12 integer operations for the four words of bytes that half a word of signs becomes, and six loads for eight
// products: 384 bytes of workgroup memory a product of 16 x 32 by 32 x 16, whose sums are 8 registers an invocation.
// It needs what `lib/tile/binary.wgsl` needs but w, `lib/matrix/i8_*.wgsl`, and
//   TILE: 64 or 128
//   w: array<u32>, words [DEPTH, COLUMNS]
//!needs a, advance, COLUMNS, DEPTH, first_word, LANES, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, ROWS, store, Sums
//!needs TILE, w, walk_to
//!gives shared_words
//!include "lib/matrix/bytes.wgsl"

const OWN_ROWS = 4u * MATRIX_ROWS; // of a subgroup
const OWN_COLUMNS = 2u * MATRIX_COLUMNS;
const ACROSS = TILE / OWN_COLUMNS; // subgroups side by side
const SUBGROUPS = TILE / OWN_ROWS * ACROSS;
const INVOCATIONS = SUBGROUPS * LANES;
const STEP = 2u; // words
const SIDES = INVOCATIONS / TILE; // invocations that share a line, of whose words each brings every SIDES-th

// Bytes lie as the matrices that are multiplied: [line / 8 or 16, depth / MATRIX_DEPTH, line % 8 or 16, MATRIX_DEPTH].
const CHUNKS = 32u * STEP / MATRIX_DEPTH; // matrices side by side in depth
const LEFT_WORDS = MATRIX_ROWS * LINE_WORDS; // of a matrix
const RIGHT_WORDS = MATRIX_COLUMNS * LINE_WORDS;
const SUMS = MATRIX_ROWS * MATRIX_COLUMNS;
const RIGHT = TILE * STEP * 8u; // where right matrices start

// Left and right matrices, and in the end sums.
var<workgroup> shared_words: array<i32, 2u * TILE * STEP * 8u>;

// Four of 32 signs as bytes, 0x01 or 0xff: every eighth from `first` on. Both sides take signs in the same order, so that it
// doesn't matter in which.
fn bytes_of(signs: u32, first: u32) -> i32 {
  return bitcast<i32>(((signs >> first) & 0x01010101u) * 0xfeu + 0x01010101u);
}

// Where four bytes of a line of one side lie, of the 8 * STEP fours of a step.
fn place_of(line: u32, fours: u32, lines: u32) -> u32 {
  let matrix = line / lines * CHUNKS + fours / LINE_WORDS;
  return (matrix * lines + line % lines) * LINE_WORDS + fours % LINE_WORDS;
}

fn expand(line: u32, word: u32, row_signs: u32, column_signs: u32) {
  for (var i = 0u; i < 8u; i++) {
    shared_words[place_of(line, word * 8u + i, MATRIX_ROWS)] = bytes_of(row_signs, i);
    shared_words[RIGHT + place_of(line, word * 8u + i, MATRIX_COLUMNS)] = bytes_of(column_signs, i);
  }
}

// Stores a row of matrices of each subgroup, of which `row` is the first row of the first subgroup.
fn put(left: Sums, right: Sums, own: u32, local: u32, row: u32, first_quad: u32) {
  workgroupBarrier();
  store_sums(own * 2u * SUMS, left);
  store_sums((own * 2u + 1u) * SUMS, right);
  workgroupBarrier();
  let quads = (COLUMNS + 3u) / 4u;
  // What was compared, bits beyond the last ones with it, which are the same on both sides.
  let compared = vec4i(i32((DEPTH + STEP - 1u) / STEP * STEP * 32u));
  for (var i = local; i < SUBGROUPS * 2u * SUMS / 4u; i += INVOCATIONS) {
    let matrix = i * 4u / SUMS;
    let y = row + matrix / (2u * ACROSS) * OWN_ROWS + i * 4u % SUMS / MATRIX_COLUMNS;
    let quad = first_quad + (matrix % (2u * ACROSS) * MATRIX_COLUMNS + i * 4u % MATRIX_COLUMNS) / 4u;
    if (y < ROWS && quad < quads) {
      let at = i * 4u;
      let dots = vec4i(shared_words[at], shared_words[at + 1u], shared_words[at + 2u], shared_words[at + 3u]);
      store(y, quad, 0u, vec4u((compared - dots) / 2), vec4u());
    }
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let across = (COLUMNS + TILE - 1u) / TILE;
  let index = group.y * groups.x + group.x;
  let first_row = index / across * TILE;
  let first_column = index % across * TILE;
  if (first_row >= ROWS) {
    return;
  }
  // What this invocation brings: words of a row and of a column. Those beyond the last ones repeat them, and aren't stored.
  let line = local % TILE;
  let side = local / TILE;
  let row = first_word(min(first_row + line, ROWS - 1u));
  let column = min(first_column + line, COLUMNS - 1u);
  // What its subgroup makes.
  let own = own_subgroup(local, subgroup);
  let left = own / ACROSS * 4u * CHUNKS * LEFT_WORDS;
  let right = RIGHT + own % ACROSS * 2u * CHUNKS * RIGHT_WORDS;
  var s00: Sums;
  var s01: Sums;
  var s10: Sums;
  var s11: Sums;
  var s20: Sums;
  var s21: Sums;
  var s30: Sums;
  var s31: Sums;
  var walk = walk_to(side);
  for (var i = 0u; i < DEPTH; i += STEP) {
    for (var word = side; word < STEP; word += SIDES) {
      let within = i + word < DEPTH;
      let row_signs = select(0u, a[row + walk.offset], within);
      let column_signs = select(0u, w[(i + word) * COLUMNS + column], within);
      expand(line, word, row_signs, column_signs);
      walk = advance(walk, SIDES);
    }
    workgroupBarrier();
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
      let r0 = load_right(right + chunk * RIGHT_WORDS);
      let r1 = load_right(right + (CHUNKS + chunk) * RIGHT_WORDS);
      let l0 = load_left(left + chunk * LEFT_WORDS);
      s00 = multiply_add(l0, r0, s00);
      s01 = multiply_add(l0, r1, s01);
      let l1 = load_left(left + (CHUNKS + chunk) * LEFT_WORDS);
      s10 = multiply_add(l1, r0, s10);
      s11 = multiply_add(l1, r1, s11);
      let l2 = load_left(left + (2u * CHUNKS + chunk) * LEFT_WORDS);
      s20 = multiply_add(l2, r0, s20);
      s21 = multiply_add(l2, r1, s21);
      let l3 = load_left(left + (3u * CHUNKS + chunk) * LEFT_WORDS);
      s30 = multiply_add(l3, r0, s30);
      s31 = multiply_add(l3, r1, s31);
    }
    workgroupBarrier();
  }
  let first_quad = first_column / 4u;
  put(s00, s01, own, local, first_row, first_quad);
  put(s10, s11, own, local, first_row + MATRIX_ROWS, first_quad);
  put(s20, s21, own, local, first_row + 2u * MATRIX_ROWS, first_quad);
  put(s30, s31, own, local, first_row + 3u * MATRIX_ROWS, first_quad);
}
