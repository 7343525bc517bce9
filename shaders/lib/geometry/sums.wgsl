// CHUNKS invocations share a filter. Chunk k takes the groups of four weights k, k + CHUNKS, ..., so that neighbours
// read neighbours. Sums are taken about the mean of the first weights of the chunk (the pivot), BLOCK groups at a time:
// few enough that they lose no digits, and many enough that merging costs little. Where one invocation has the whole
// filter, it writes its statistics at once. It needs, of the kernel that includes it:
//   weights_at(row, quad): four weights of a filter as the bits of f32, anything beyond its end
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
const SATURATED = 0x3f7fffefu; // 1 - 1e-6 as f32
const INFINITE = 0x7f800000u;
const MINUS_ZERO = 0x80000000u;
const SIZE = vec4u(0x7fffffffu); // bits of |w|

// Sums over some weights. They are scalars, though a group of four is added at a time: compilers without a register
// allocator to speak of lose more by keeping four of each than they win.
struct Sums {
  s1: f32, // of the powers of w - pivot
  s2: f32,
  s3: f32,
  s4: f32,
  t1: f32, // of |w| - size_pivot
  t2: f32,
  counts: u32, // ten bits each: signs -1, |w| >= 1 - 1e-6, |w| < NEAR_ZERO
  count: u32,
}

fn total(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn sum_of(v: vec4u) -> u32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn add(sums: Sums, bits: vec4u, pivot: f32, size_pivot: f32, chosen: vec4<bool>) -> Sums {
  let size = bits & SIZE;
  let v = select(vec4f(0.0), bitcast<vec4f>(bits) - pivot, chosen);
  let a = select(vec4f(0.0), bitcast<vec4f>(size) - size_pivot, chosen);
  let q = v * v;
  let counts = select(vec4u(0u), vec4u(1u), bits > vec4u(MINUS_ZERO))
    + select(vec4u(0u), vec4u(1u << 10u), size >= vec4u(SATURATED))
    + select(vec4u(0u), vec4u(1u << 20u), size < vec4u(bitcast<u32>(NEAR_ZERO)));
  return Sums(
    sums.s1 + total(v),
    sums.s2 + total(q),
    sums.s3 + dot(q, v),
    sums.s4 + dot(q, q),
    sums.t1 + total(a),
    sums.t2 + dot(a, a),
    sums.counts + sum_of(select(vec4u(0u), counts, chosen)),
    sums.count + sum_of(select(vec4u(0u), vec4u(1u), chosen)),
  );
}

// Which places of a group hold a finite weight of the filter.
fn usable(bits: vec4u, quad: u32) -> vec4<bool> {
  let inside = vec4u(quad * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(LENGTH);
  return inside & ((bits & SIZE) < vec4u(INFINITE));
}

// From sums about the pivot to moments about the mean, d away from it.
fn centred(sums: Sums, pivot: f32, size_pivot: f32, seen: u32) -> Moments {
  let count = f32(sums.count);
  let share = 1.0 / max(count, 1.0);
  let d = sums.s1 * share;
  let e = sums.t1 * share;
  let m2 = max(sums.s2 - count * d * d, 0.0);
  let m3 = sums.s3 - d * (3.0 * m2 + count * d * d);
  let m4 = max(sums.s4 - d * (4.0 * m3 + d * (6.0 * m2 + count * d * d)), 0.0);
  let size_m2 = max(sums.t2 - count * e * e, 0.0);
  let counts = sums.counts;
  let tally = vec4u(counts & 1023u, (counts >> 10u) & 1023u, counts >> 20u, seen - sums.count);
  return Moments(count, pivot + d, m2, m3, m4, size_pivot + e, size_m2, tally);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * CHUNKS) {
    return;
  }
  let row = index / CHUNKS;
  let start = index % CHUNKS;
  let whole = LENGTH / 4u; // groups of four
  let quads = (LENGTH + 3u) / 4u;

  var first = Sums();
  for (var quad = start; quad < min(quads, start + 4u * CHUNKS); quad += CHUNKS) {
    let bits = weights_at(row, quad);
    first = add(first, bits, 0.0, 0.0, usable(bits, quad));
  }
  let share = 1.0 / max(f32(first.count), 1.0);
  let pivot = first.s1 * share;
  let size_pivot = first.t1 * share;

  var sum = Moments();
  for (var block = start; block < quads; block += BLOCK * CHUNKS) {
    let end = block + BLOCK * CHUNKS;
    var sums = Sums();
    var largest = vec4u(0u);
    var quad = block;
    for (; quad < min(end, whole); quad += CHUNKS) {
      let bits = weights_at(row, quad);
      largest = max(largest, bits & SIZE);
      sums = add(sums, bits, pivot, size_pivot, vec4<bool>(true));
    }
    var seen = sums.count;
    if (any(largest >= vec4u(INFINITE))) {
      // NaN or infinity got into the sums: once more without them.
      sums = Sums();
      for (quad = block; quad < min(end, whole); quad += CHUNKS) {
        let bits = weights_at(row, quad);
        sums = add(sums, bits, pivot, size_pivot, usable(bits, quad));
      }
    }
    if (quad == whole && whole < min(end, quads)) {
      // The last one to three weights.
      let bits = weights_at(row, quad);
      sums = add(sums, bits, pivot, size_pivot, usable(bits, quad));
      seen += LENGTH % 4u;
    }
    sum = merge(sum, centred(sums, pivot, size_pivot, seen));
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
    parts[at + 2u] = bitcast<vec4u>(vec4f(sum.m4, sum.size_mean, sum.size_m2, 0.0));
  }
}
