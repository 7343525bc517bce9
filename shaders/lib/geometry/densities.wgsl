// How many weights lie where, in units of the root mean square of their filter: BINS equal bins from -RANGE to RANGE, the
// outermost take what lies beyond. First stage: each workgroup counts SPAN groups of four weights; of all groups, filter
// by filter, every STRIDE-th is counted.
// Integer atomics: the order doesn't matter. Weights that are no finite numbers, and filters of zeros, are left out.
// It needs, of the kernel that includes it:
//   weights_at(row, quad): four weights of a filter as the bits of f32, anything beyond its end
//!needs weights_at
//!gives FILTERS, LENGTH
override FILTERS: u32;
override LENGTH: u32; // weights of one filter
override STRIDE: u32;
override SPAN: u32;
override BINS: u32; // at most 1024
override RANGE: f32;

@group(0) @binding(1) var<storage, read> statistics: array<vec4f>; // f32 [FILTERS, 12], of `geometry/statistics`
@group(0) @binding(2) var<storage, read_write> parts: array<u32>; // [ceil(FILTERS * ceil(LENGTH / 4) / STRIDE / SPAN), BINS]

var<workgroup> bins: array<atomic<u32>, 1024>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let quads = (LENGTH + 3u) / 4u;
  let first = group.x * SPAN;
  let last = (FILTERS * quads + STRIDE - 1u) / STRIDE;
  for (var i = first + local; i < min(first + SPAN, last); i += 64u) {
    let row = i * STRIDE / quads;
    let quad = i * STRIDE % quads;
    // |w|_1 and |w|_2, and the mean of |w|, whose quotient is the number of weights.
    let norms = statistics[3u * row];
    if (norms.x > 0.0) {
      let per = 1.0 / (norms.y * sqrt(statistics[3u * row + 1u].x / norms.x));
      let bits = weights_at(row, quad);
      let place = (bitcast<vec4f>(bits) * per + RANGE) * (f32(BINS) / (2.0 * RANGE));
      let bin = vec4u(clamp(place, vec4f(0.0), vec4f(f32(BINS) - 1.0)));
      let there = vec4u(quad * 4u) + vec4u(0u, 1u, 2u, 3u) < vec4u(LENGTH);
      let counted = there & ((bits & vec4u(0x7f800000u)) != vec4u(0x7f800000u));
      // An atomic that adds 0 is cheaper than a branch for each weight.
      let one = select(vec4u(0u), vec4u(1u), counted);
      atomicAdd(&bins[bin.x], one.x);
      atomicAdd(&bins[bin.y], one.y);
      atomicAdd(&bins[bin.z], one.z);
      atomicAdd(&bins[bin.w], one.w);
    }
  }
  workgroupBarrier();
  for (var bin = local; bin < BINS; bin += 64u) {
    parts[group.x * BINS + bin] = atomicLoad(&bins[bin]);
  }
}
