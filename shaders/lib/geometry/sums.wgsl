// CHUNKS invocations share a filter. Chunk k takes the groups of four weights k, k + CHUNKS, ..., so that neighbours
// read neighbours. Sums are taken BLOCK groups at a time, about the mean of what the chunk has seen (the pivot), at first
// of one group: blocks are short enough that they lose no digits, and long enough that merging costs little. Where one
// invocation has the whole filter, it writes its statistics at once. It needs, of the kernel that includes it:
//   weights_at(row, quad): four weights of a filter as the bits of f32, anything beyond its end
//   whole_at(row, quad): the same where all four are the filter's
//!needs weights_at, whole_at
//!gives FILTERS, LENGTH
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"
//!include "lib/geometry/columns.wgsl"

override FILTERS: u32;
override LENGTH: u32; // weights of one filter
override CHUNKS: u32;
override NEAR_ZERO: f32;

// [FILTERS, CHUNKS, 12]: parts (see moments_of) as u32; where CHUNKS is 1, the statistics (see Columns) as f32.
@group(0) @binding(1) var<storage, read_write> parts: array<vec4u>;

const BLOCK = 64u; // groups of four weights
const SATURATED = 0.999999f;
const INFINITE = 0x7f800000u;
const MINUS_ZERO = vec4u(0x80000000u);
// Where the largest weight of a block has bits in between, no sum of fourth powers leaves the range of f32: 2^-16 to 2^24.
const SMALL = 0x37800000u;
const LARGE = 0x4b800000u;
const SIZE = vec4u(0x7fffffffu); // bits of |w|

// Sums over some weights. They are scalars, though a group of four is added at a time: compilers without a register
// allocator to speak of lose more by keeping four of each than they win. For the same compilers counts are floats, and
// conditions are told by step: shifts by vectors are taken apart there, and a select is three instructions.
struct Sums {
  s1: f32, // of the powers of w - pivot
  s2: f32,
  s3: f32,
  s4: f32,
  t1: f32, // of |w| - size_pivot
  t2: f32,
  minus: f32, // signs -1
  saturated: f32, // |w| >= 1 - 1e-6
  large: f32, // |w| >= NEAR_ZERO
  count: f32,
}

// What four weights bring to the sums.
struct Terms {
  v: vec4f, // w - pivot
  a: vec4f, // |w| - size_pivot
  minus: vec4f, // 1 where it holds
  saturated: vec4f,
  large: vec4f,
}

fn total(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn terms_of(bits: vec4u, pivot: f32, size_pivot: f32) -> Terms {
  return terms_in_units(bits, bitcast<vec4f>(bits), bitcast<vec4f>(bits & SIZE), pivot, size_pivot);
}

// The same for weights w and |w| in another unit, which the counts don't have.
fn terms_in_units(bits: vec4u, w: vec4f, size: vec4f, pivot: f32, size_pivot: f32) -> Terms {
  let given = bitcast<vec4f>(bits & SIZE);
  return Terms(
    w - pivot,
    size - size_pivot,
    // By the raw bits: above those of -0, as a signed number above 0, which stays above 0 as a float.
    step(vec4f(0.5), vec4f(bitcast<vec4i>(bits ^ MINUS_ZERO))),
    step(vec4f(SATURATED), given),
    step(vec4f(NEAR_ZERO), given),
  );
}

fn add(sums: Sums, terms: Terms, count: f32) -> Sums {
  let v = terms.v;
  let a = terms.a;
  let q = v * v;
  return Sums(
    sums.s1 + total(v),
    sums.s2 + total(q),
    sums.s3 + dot(q, v),
    sums.s4 + dot(q, q),
    sums.t1 + total(a),
    sums.t2 + dot(a, a),
    sums.minus + total(terms.minus),
    sums.saturated + total(terms.saturated),
    sums.large + total(terms.large),
    sums.count + count,
  );
}

fn add_whole(sums: Sums, bits: vec4u, pivot: f32, size_pivot: f32) -> Sums {
  return add(sums, terms_of(bits, pivot, size_pivot), 4.0);
}

fn add_chosen(sums: Sums, bits: vec4u, pivot: f32, size_pivot: f32, chosen: vec4<bool>) -> Sums {
  let kept = select(vec4u(0u), bits, chosen);
  return add_terms(sums, terms_of(kept, pivot, size_pivot), chosen);
}

// The same in units of 2^exponent; subnormal weights are taken by their bits, since a device may take them for zeros.
fn add_scaled(sums: Sums, bits: vec4u, exponent: i32, pivot: f32, size_pivot: f32, chosen: vec4<bool>) -> Sums {
  let kept = select(vec4u(0u), bits, chosen);
  let size = sizes_of(kept, exponent);
  let w = select(size, -size, kept >= MINUS_ZERO);
  return add_terms(sums, terms_in_units(kept, w, size, pivot, size_pivot), chosen);
}

fn sizes_of(bits: vec4u, exponent: i32) -> vec4f {
  let size = bits & SIZE;
  let normal = bitcast<vec4f>(size) * power_of_two(-exponent);
  let subnormal = vec4f(size) * (0x1p-23 * power_of_two(-126 - exponent));
  return select(normal, subnormal, size < vec4u(0x800000u));
}

fn add_terms(sums: Sums, terms: Terms, chosen: vec4<bool>) -> Sums {
  let none = vec4f(0.0);
  let kept = Terms(
    select(none, terms.v, chosen),
    select(none, terms.a, chosen),
    terms.minus,
    terms.saturated,
    select(none, terms.large, chosen),
  );
  return add(sums, kept, total(select(none, vec4f(1.0), chosen)));
}

// Which places of a group hold a finite weight of the filter.
fn usable(bits: vec4u, quad: u32) -> vec4<bool> {
  let inside = vec4u(quad * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(LENGTH);
  return inside & ((bits & SIZE) < vec4u(INFINITE));
}

// From sums about the pivot to moments about the mean, d away from it.
fn centred(sums: Sums, pivot: f32, size_pivot: f32, seen: u32, exponent: i32) -> Moments {
  let count = sums.count;
  let share = 1.0 / max(count, 1.0);
  let d = sums.s1 * share;
  let e = sums.t1 * share;
  let m2 = max(sums.s2 - count * d * d, 0.0);
  let m3 = sums.s3 - d * (3.0 * m2 + count * d * d);
  let m4 = max(sums.s4 - d * (4.0 * m3 + d * (6.0 * m2 + count * d * d)), 0.0);
  let size_m2 = max(sums.t2 - count * e * e, 0.0);
  let tally = vec4u(vec4f(sums.minus, sums.saturated, count - sums.large, f32(seen) - count));
  return Moments(count, pivot + d, m2, m3, m4, size_pivot + e, size_m2, tally, exponent);
}

// One or the other, without a branch: where both sides of a branch are run, joining ten values costs more.
fn chosen_of(a: Sums, b: Sums, second: bool) -> Sums {
  let powers = select(vec4f(a.s1, a.s2, a.s3, a.s4), vec4f(b.s1, b.s2, b.s3, b.s4), second);
  let sizes = select(vec3f(a.t1, a.t2, a.count), vec3f(b.t1, b.t2, b.count), second);
  let counts = select(
    vec3f(a.minus, a.saturated, a.large),
    vec3f(b.minus, b.saturated, b.large),
    second,
  );
  return Sums(powers.x, powers.y, powers.z, powers.w, sizes.x, sizes.y, counts.x, counts.y, counts.z, sizes.z);
}

fn largest_of(v: vec4u) -> u32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

// The groups first, first + CHUNKS, ... of a filter, as many as belong to a block.
fn moments_of_block(row: u32, first: u32, pivot: f32, size_pivot: f32) -> Moments {
  let whole = LENGTH / 4u; // groups of four
  let end = first + BLOCK * CHUNKS;
  let stop = min(end, whole);
  var sums = Sums();
  var sizes = vec4u(0u);
  var quad = first;
  for (; quad < stop; quad += CHUNKS) {
    let bits = whole_at(row, quad);
    sizes = max(sizes, bits & SIZE);
    sums = add_whole(sums, bits, pivot, size_pivot);
  }
  var seen = u32(sums.count);
  if (LENGTH % 4u != 0u) {
    // The last one to three weights.
    if ((CHUNKS == 1u && whole < BLOCK) || (quad == whole && whole < end)) {
      let bits = weights_at(row, whole);
      let chosen = usable(bits, whole);
      sizes = max(sizes, select(vec4u(0u), bits & SIZE, chosen));
      sums = add_chosen(sums, bits, pivot, size_pivot, chosen);
      seen += LENGTH % 4u;
    }
  }
  // Where NaN or infinity got into the sums, or powers may have left the range of f32: once more, without the former, in
  // units of the largest weight.
  let size = largest_of(sizes);
  let again = size < SMALL || size >= LARGE;
  let past = min(end, (LENGTH + 3u) / 4u);
  let start = select(past, first, again);
  var finite = vec4u(0u);
  for (var k = start; k < past; k += CHUNKS) {
    let bits = weights_at(row, k);
    finite = max(finite, select(vec4u(0u), bits & SIZE, usable(bits, k)));
  }
  let largest = largest_of(finite);
  let is_ordinary = !again || (largest >= SMALL && largest < LARGE);
  let exponent = select(clamp(i32(largest >> 23u) - 127, -126, 126), 0, is_ordinary);
  // About the mean of the block's own first group: the pivot may be of quite another size.
  var second = Sums();
  for (var k = start; k < min(start + 1u, past); k++) {
    let bits = weights_at(row, k);
    second = add_scaled(second, bits, exponent, 0.0, 0.0, usable(bits, k));
  }
  let share = 1.0 / max(second.count, 1.0);
  let about = select(second.s1 * share, pivot, is_ordinary);
  let size_about = select(second.t1 * share, size_pivot, is_ordinary);
  second = Sums();
  for (var k = start; k < past; k += CHUNKS) {
    let bits = weights_at(row, k);
    second = add_scaled(second, bits, exponent, about, size_about, usable(bits, k));
  }
  return centred(chosen_of(sums, second, again), about, size_about, seen, exponent);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * CHUNKS) {
    return;
  }
  let row = index / CHUNKS;
  let start = index % CHUNKS;
  let quads = (LENGTH + 3u) / 4u;

  let head = weights_at(row, start);
  let first = add_chosen(Sums(), head, 0.0, 0.0, usable(head, start));
  let share = 1.0 / max(first.count, 1.0);
  var sum = moments_of_block(row, start, first.s1 * share, first.t1 * share);
  if (quads > BLOCK * CHUNKS) {
    for (var block = start + BLOCK * CHUNKS; block < quads; block += BLOCK * CHUNKS) {
      // What is in other units is no pivot for ordinary weights.
      let about = select(vec2f(0.0), vec2f(sum.mean, sum.size_mean), sum.exponent == 0);
      sum = merge(sum, moments_of_block(row, block, about.x, about.y));
    }
  }
  let at = index * PART_WORDS;
  if (CHUNKS == 1u) {
    let columns = columns_of(sum);
    parts[at] = bitcast<vec4u>(columns.first);
    parts[at + 1u] = bitcast<vec4u>(columns.second);
    parts[at + 2u] = bitcast<vec4u>(columns.third);
  } else {
    parts[at] = sum.tally;
    parts[at + 1u] = bitcast<vec4u>(vec4f(sum.count, sum.mean, sum.m2, sum.m3));
    parts[at + 2u] = vec4u(bitcast<vec3u>(vec3f(sum.m4, sum.size_mean, sum.size_m2)), bitcast<u32>(sum.exponent));
  }
}
