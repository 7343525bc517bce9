// The body of products of reals with signs on matrix units, which multiply halves (f16) and add floats. A real becomes the
// sum of two halves, which hold 22 bits of it between them, once it is scaled by a power of two to their range: the scale is
// of the largest finite magnitude so far in the same band of rows (as many as a matrix has), and where that grows, the sums
// so far are scaled anew. Reals down to a 2^17th of their band's largest keep all 22 bits, and smaller ones an error below a
// 2^38th of the largest. Infinities and NaN come through in their own rows only.
// A workgroup makes 64 rows of 128 columns of a slice of the terms, sixteen at a time; a subgroup multiplies four rows, in two parts, of two
// columns of matrices: ten loads for sixteen products, 320 bytes of workgroup memory a product of 16 x 16 by 16 x 16.
// The order of terms is fixed. It needs `lib/matrix/f16_*.wgsl`, and of the kernel that includes it:
//   ROWS, COLUMNS, TERMS: of the product; COLUMNS and TERMS are multiples of 4
//   CHUNKS: slices of the sum over terms, a result each
//   WORDS: of the signs of a term
//   reals_at(row, term): four terms of a row, from `term` on
//   signs_at(term, word): 32 columns of a term
//   store(row, column, sums): takes four columns of a row of the result of `slice`
//!needs CHUNKS, COLUMNS, MATRIX_COLUMNS, MATRIX_DEPTH, MATRIX_ROWS, reals_at, ROWS, signs_at, store, Sums, TERMS
//!needs WORDS
//!gives ONE, parts, products, Signs, signs, slice
//!include "lib/matrix/halves.wgsl"

const TILE_ROWS = 64u;
const TILE_COLUMNS = 128u;
const STEP = 16u; // terms
const OWN_ROWS = 4u * MATRIX_ROWS; // of a subgroup
const OWN_COLUMNS = 2u * MATRIX_COLUMNS;
const ACROSS = TILE_COLUMNS / OWN_COLUMNS; // subgroups side by side
const SUBGROUPS = TILE_ROWS / OWN_ROWS * ACROSS;
const INVOCATIONS = 128u; // SUBGROUPS * LANES

override SLICE_TERMS = ((TERMS + STEP - 1u) / STEP + CHUNKS - 1u) / CHUNKS * STEP;

const DEPTHS = STEP / MATRIX_DEPTH; // matrices side by side in depth
const LEFT_SIZE = MATRIX_ROWS * MATRIX_DEPTH;
const RIGHT_SIZE = MATRIX_DEPTH * MATRIX_COLUMNS;
const SUMS = MATRIX_ROWS * MATRIX_COLUMNS;
const LOW = TILE_ROWS * STEP; // where low parts start
const BANDS = TILE_ROWS / MATRIX_ROWS;
const STRIPS = TILE_COLUMNS / MATRIX_COLUMNS;

// Exponents as floats have them. The largest of a band is brought to HALF_RANGE, and LEAST is the least one to be brought
// there by a scale whose inverse is a normal number.
const HALF_RANGE = 127u + 14u;
const LEAST = 16u;

// Signs, a bit each, and what +1 is: a half, twice.
struct Signs {
  bits: u32,
  one: u32,
}

const ONE = 0x3c003c00u;

var<private> slice: u32; // that this workgroup sums

var<workgroup> parts: array<f16, 2u * TILE_ROWS * STEP>; // [high and low, band, depth, MATRIX_ROWS, MATRIX_DEPTH]
var<workgroup> signs: array<f16, STEP * TILE_COLUMNS>; // [depth, strip, MATRIX_DEPTH, MATRIX_COLUMNS]
var<workgroup> products: array<f32, SUBGROUPS * SUMS>; // [subgroup, MATRIX_ROWS, MATRIX_COLUMNS]
var<workgroup> largest: array<atomic<u32>, BANDS>; // exponents so far

fn power_of_two(exponent: u32) -> f32 {
  return bitcast<f32>(exponent << 23u);
}

// The exponent of the largest finite one.
fn exponent_of(x: vec4f) -> u32 {
  let magnitudes = bitcast<vec4u>(x) & vec4u(0x7fffffffu);
  let finite = select(magnitudes, vec4u(), magnitudes >= vec4u(0x7f800000u));
  return max(max(finite.x, finite.y), max(finite.z, finite.w)) >> 23u;
}

// Puts four terms of a row into both parts.
fn split(row: u32, term: u32, x: vec4f) {
  let band = row / MATRIX_ROWS;
  let scaled = x * power_of_two(127u + HALF_RANGE - atomicLoad(&largest[band]));
  // The bits that a half has. It is not converted to a half and back, which compilers take the liberty to leave out.
  let first = bitcast<vec4f>(bitcast<vec4u>(scaled) & vec4u(0xffffe000u));
  // What isn't finite has no second part: it would be infinity less infinity.
  let endless = (bitcast<vec4u>(x) & vec4u(0x7f800000u)) == vec4u(0x7f800000u);
  let high = vec4<f16>(select(first, scaled, endless));
  let low = vec4<f16>(select(scaled - first, vec4f(), endless));
  let matrix = band * DEPTHS + term / MATRIX_DEPTH;
  let at = matrix * LEFT_SIZE + row % MATRIX_ROWS * MATRIX_DEPTH + term % MATRIX_DEPTH;
  for (var i = 0u; i < 4u; i++) {
    parts[at + i] = high[i];
    parts[LOW + at + i] = low[i];
  }
}

// Sixteen signs of a term as halves, two at a time; `column` is a multiple of 16.
fn expand(term: u32, column: u32, word: Signs) {
  for (var i = 0u; i < 16u; i += 2u) {
    let matrix = term / MATRIX_DEPTH * STRIPS + (column + i) / MATRIX_COLUMNS;
    let at = matrix * RIGHT_SIZE + term % MATRIX_DEPTH * MATRIX_COLUMNS + (column + i) % MATRIX_COLUMNS;
    let bits = word.bits >> (column % 32u + i);
    let pair = bitcast<vec2<f16>>(word.one | ((bits & 1u) << 15u) | ((bits & 2u) << 30u));
    signs[at] = pair.x;
    signs[at + 1u] = pair.y;
  }
}

// By what sums are to be multiplied, where the exponent of their band grew.
fn growth(before: u32, after: u32) -> f32 {
  return power_of_two(max(127u + before, after) - after);
}

// Stores a matrix of each subgroup, of which `row` and `column` are the first of the first subgroup.
fn put(sums: Sums, own: u32, local: u32, first_row: u32, row: u32, column: u32) {
  workgroupBarrier();
  store_sums(own * SUMS, sums);
  workgroupBarrier();
  for (var i = 4u * local; i < SUBGROUPS * SUMS; i += 4u * INVOCATIONS) {
    let subgroup = i / SUMS;
    let y = row + subgroup / ACROSS * OWN_ROWS + i % SUMS / MATRIX_COLUMNS;
    let exponent = atomicLoad(&largest[(y - first_row) / MATRIX_ROWS]);
    let four = vec4f(products[i], products[i + 1u], products[i + 2u], products[i + 3u]);
    let x = column + subgroup % ACROSS * OWN_COLUMNS + i % MATRIX_COLUMNS;
    store(y, x, four * power_of_two(exponent - HALF_RANGE + 127u));
  }
}

@compute @workgroup_size(INVOCATIONS)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
) {
  let across = (COLUMNS + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let down = (ROWS + TILE_ROWS - 1u) / TILE_ROWS;
  let index = group.y * groups.x + group.x;
  let first_row = index / across % down * TILE_ROWS;
  let first_column = index % across * TILE_COLUMNS;
  let own_slice = index / (across * down);
  if (own_slice >= CHUNKS) {
    return;
  }
  slice = own_slice; // of which the compiler doesn't know that the whole workgroup has the same
  if (local < BANDS) {
    atomicStore(&largest[local], LEAST);
  }
  // What this invocation brings: two times four terms of a row, and 16 signs of a term. What lies beyond the last row or
  // column repeats it, and isn't stored.
  let line = local % TILE_ROWS;
  let row = min(first_row + line, ROWS - 1u);
  let term = local / TILE_ROWS * 4u;
  let column = local % (TILE_COLUMNS / 16u) * 16u;
  let word = min((first_column + column) / 32u, WORDS - 1u);
  // What its subgroup makes.
  let own = own_subgroup(local, subgroup);
  let band = own / ACROSS * 4u;
  let strip = own % ACROSS * 2u;
  var exponents = vec4u(LEAST);
  var s00: Sums;
  var s01: Sums;
  var s10: Sums;
  var s11: Sums;
  var s20: Sums;
  var s21: Sums;
  var s30: Sums;
  var s31: Sums;
  workgroupBarrier();
  let end = min(TERMS, (own_slice + 1u) * SLICE_TERMS);
  for (var i = own_slice * SLICE_TERMS; i < end; i += STEP) {
    let first = i + term;
    let x0 = select(vec4f(), reals_at(row, min(first, TERMS - 4u)), first < TERMS);
    let x1 = select(vec4f(), reals_at(row, min(first + 8u, TERMS - 4u)), first + 8u < TERMS);
    atomicMax(&largest[line / MATRIX_ROWS], max(exponent_of(x0), exponent_of(x1)));
    workgroupBarrier();
    split(line, term, x0);
    split(line, term + 8u, x1);
    let brought = local / (TILE_COLUMNS / 16u);
    expand(brought, column, signs_at(min(i + brought, TERMS - 1u), word));
    let grown = vec4u(
      atomicLoad(&largest[band]),
      atomicLoad(&largest[band + 1u]),
      atomicLoad(&largest[band + 2u]),
      atomicLoad(&largest[band + 3u]),
    );
    workgroupBarrier();
    // The same for the whole workgroup, which the compiler can't know of what atomics hold.
    if (any(grown != exponents)) {
      s00 = rescale(s00, growth(exponents.x, grown.x));
      s01 = rescale(s01, growth(exponents.x, grown.x));
      s10 = rescale(s10, growth(exponents.y, grown.y));
      s11 = rescale(s11, growth(exponents.y, grown.y));
      s20 = rescale(s20, growth(exponents.z, grown.z));
      s21 = rescale(s21, growth(exponents.z, grown.z));
      s30 = rescale(s30, growth(exponents.w, grown.w));
      s31 = rescale(s31, growth(exponents.w, grown.w));
      exponents = grown;
    }
    for (var depth = 0u; depth < DEPTHS; depth++) {
      let right = (depth * STRIPS + strip) * RIGHT_SIZE;
      let r0 = load_right(right);
      let r1 = load_right(right + RIGHT_SIZE);
      for (var part = 0u; part <= LOW; part += LOW) {
        let left = part + (band * DEPTHS + depth) * LEFT_SIZE;
        let l0 = load_left(left);
        s00 = multiply_add(l0, r0, s00);
        s01 = multiply_add(l0, r1, s01);
        let l1 = load_left(left + DEPTHS * LEFT_SIZE);
        s10 = multiply_add(l1, r0, s10);
        s11 = multiply_add(l1, r1, s11);
        let l2 = load_left(left + 2u * DEPTHS * LEFT_SIZE);
        s20 = multiply_add(l2, r0, s20);
        s21 = multiply_add(l2, r1, s21);
        let l3 = load_left(left + 3u * DEPTHS * LEFT_SIZE);
        s30 = multiply_add(l3, r0, s30);
        s31 = multiply_add(l3, r1, s31);
      }
    }
  }
  put(s00, own, local, first_row, first_row, first_column);
  put(s01, own, local, first_row, first_row, first_column + MATRIX_COLUMNS);
  put(s10, own, local, first_row, first_row + MATRIX_ROWS, first_column);
  put(s11, own, local, first_row, first_row + MATRIX_ROWS, first_column + MATRIX_COLUMNS);
  put(s20, own, local, first_row, first_row + 2u * MATRIX_ROWS, first_column);
  put(s21, own, local, first_row, first_row + 2u * MATRIX_ROWS, first_column + MATRIX_COLUMNS);
  put(s30, own, local, first_row, first_row + 3u * MATRIX_ROWS, first_column);
  put(s31, own, local, first_row, first_row + 3u * MATRIX_ROWS, first_column + MATRIX_COLUMNS);
}
