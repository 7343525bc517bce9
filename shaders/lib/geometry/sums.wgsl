// CHUNKS invocations share a filter. Chunk k takes the groups of four weights k, k + CHUNKS, ..., so that neighbours
// read neighbours; sixteen weights at a time become moments in registers. Every weight is read once. It needs, of the
// kernel that includes it:
//   weights_at(row, quad): four weights of a filter as the bits of f32, anything beyond its end
//!include "lib/index.wgsl"
//!include "lib/geometry/moments.wgsl"

override FILTERS: u32;
override LENGTH: u32; // weights of one filter
override CHUNKS: u32;
override NEAR_ZERO: f32;

@group(0) @binding(1) var<storage, read_write> moments: array<vec4f>; // f32 [FILTERS, CHUNKS, 8]: see moments_of
// u32 [FILTERS, CHUNKS, 4]: signs -1, |w| >= 1 - 1e-6, |w| < NEAR_ZERO, weights that are NaN or infinite
@group(0) @binding(2) var<storage, read_write> counts: array<vec4u>;

const SATURATED = 0.999999;
const EXPONENT = vec4u(0x7f800000u);

// Up to four weights: zeros where there is none or none that is finite, and 1 where there is one.
struct Quad {
  bits: vec4u,
  there: vec4f,
  broken: vec4u, // 1 where a weight is NaN or infinite
}

fn quad_at(row: u32, quad: u32) -> Quad {
  let first = quad * 4u;
  if (first >= LENGTH) {
    return Quad();
  }
  let bits = weights_at(row, quad);
  let inside = (vec4u(first) + vec4u(0u, 1u, 2u, 3u)) < vec4u(LENGTH);
  let finite = (bits & EXPONENT) != EXPONENT;
  let there = inside & finite;
  return Quad(
    select(vec4u(0u), bits, there),
    select(vec4f(0.0), vec4f(1.0), there),
    select(vec4u(0u), vec4u(1u), inside & !finite),
  );
}

fn total(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

fn count_of(chosen: vec4<bool>) -> vec4u {
  return select(vec4u(0u), vec4u(1u), chosen);
}

fn sum_of(v: vec4u) -> u32 {
  return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS * CHUNKS) {
    return;
  }
  let row = index / CHUNKS;
  let quads = (LENGTH + 3u) / 4u;
  var sum = Moments();
  var negative = vec4u(0u);
  var saturated = vec4u(0u);
  var near_zero = vec4u(0u);
  var broken = vec4u(0u);
  for (var quad = index % CHUNKS; quad < quads; quad += 4u * CHUNKS) {
    let a = quad_at(row, quad);
    let b = quad_at(row, quad + CHUNKS);
    let c = quad_at(row, quad + 2u * CHUNKS);
    let d = quad_at(row, quad + 3u * CHUNKS);
    let wa = bitcast<vec4f>(a.bits);
    let wb = bitcast<vec4f>(b.bits);
    let wc = bitcast<vec4f>(c.bits);
    let wd = bitcast<vec4f>(d.bits);
    let minus = vec4u(0x80000000u);
    negative += (count_of(a.bits > minus) + count_of(b.bits > minus))
      + (count_of(c.bits > minus) + count_of(d.bits > minus));
    let one = vec4f(SATURATED);
    saturated += (count_of(abs(wa) >= one) + count_of(abs(wb) >= one))
      + (count_of(abs(wc) >= one) + count_of(abs(wd) >= one));
    // Places without a weight hold a zero, which `there` takes out again.
    let low = vec4f(NEAR_ZERO);
    near_zero += (count_of(abs(wa) < low) * vec4u(a.there) + count_of(abs(wb) < low) * vec4u(b.there))
      + (count_of(abs(wc) < low) * vec4u(c.there) + count_of(abs(wd) < low) * vec4u(d.there));
    broken += (a.broken + b.broken) + (c.broken + d.broken);

    let count = total((a.there + b.there) + (c.there + d.there));
    let share = 1.0 / max(count, 1.0);
    let mean = total((wa + wb) + (wc + wd)) * share;
    let size_mean = total((abs(wa) + abs(wb)) + (abs(wc) + abs(wd))) * share;
    let va = (wa - mean) * a.there;
    let vb = (wb - mean) * b.there;
    let vc = (wc - mean) * c.there;
    let vd = (wd - mean) * d.there;
    let qa = va * va;
    let qb = vb * vb;
    let qc = vc * vc;
    let qd = vd * vd;
    let sa = (abs(wa) - size_mean) * a.there;
    let sb = (abs(wb) - size_mean) * b.there;
    let sc = (abs(wc) - size_mean) * c.there;
    let sd = (abs(wd) - size_mean) * d.there;
    sum = merge(sum, Moments(
      count,
      mean,
      total((qa + qb) + (qc + qd)),
      total((qa * va + qb * vb) + (qc * vc + qd * vd)),
      total((qa * qa + qb * qb) + (qc * qc + qd * qd)),
      size_mean,
      total((sa * sa + sb * sb) + (sc * sc + sd * sd)),
    ));
  }
  moments[2u * index] = vec4f(sum.count, sum.mean, sum.m2, sum.m3);
  moments[2u * index + 1u] = vec4f(sum.m4, sum.size_mean, sum.size_m2, 0.0);
  counts[index] = vec4u(sum_of(negative), sum_of(saturated), sum_of(near_zero), sum_of(broken));
}
