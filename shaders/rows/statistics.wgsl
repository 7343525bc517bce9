// Statistics of each row. One workgroup takes a row: its invocations add up every 256th value, and the parts are added in
// pairs, so that the order of all sums is fixed. Medians are found by their digits, the highest first; the two groups of a
// row by Lloyd's iteration from its mean.
//!include "lib/index.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/float_keys.wgsl"

override ROWS: u32;
override LENGTH: u32;
override MEDIANS: u32; // 0: leave them 0
override HALVES: u32; // 0: leave means of groups 0

const ROUNDS = 24u; // as many as the twin has

const LANES = 256u;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, LENGTH]
@group(0) @binding(1) var<storage, read_write> statistics: array<RowStatistics>; // [ROWS]

var<workgroup> parts: array<vec2f, LANES>;
var<workgroup> bins: array<atomic<u32>, LANES>;
var<workgroup> chosen: vec2u;

// The sum of what all invocations hand in.
fn added(lane: u32, part: vec2f) -> vec2f {
  parts[lane] = part;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      parts[lane] += parts[lane + half];
    }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&parts[0]);
}

// The value in the middle of the row's, or of their distances from the mean.
fn middle(lane: u32, origin: u32, mean: f32, of_deviations: bool) -> f32 {
  var key = 0u;
  var rank = LENGTH / 2u;
  var known = 0u; // mask of the digits that are known
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    atomicStore(&bins[lane], 0u);
    workgroupBarrier();
    for (var i = lane; i < LENGTH; i += LANES) {
      let value = x[origin + i];
      let own = key_of(select(value, abs(value - mean), of_deviations));
      if ((own & known) == key) {
        atomicAdd(&bins[(own >> shift) & 0xffu], 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var left = rank;
      var bin = 0u;
      for (; bin < 255u; bin++) {
        let count = atomicLoad(&bins[bin]);
        if (left < count) {
          break;
        }
        left -= count;
      }
      chosen = vec2u(key | (bin << shift), left);
    }
    let found = workgroupUniformLoad(&chosen);
    key = found.x;
    rank = found.y;
    known |= 0xffu << shift;
  }
  return value_of(key);
}

// Means of the values below and above the middle between them: the two levels that are nearest to the row.
fn halves(lane: u32, origin: u32, mean: f32, of_magnitudes: bool) -> vec2f {
  var levels = vec2f(mean);
  for (var round = 0u; round < ROUNDS; round++) {
    let bound = 0.5 * (levels.x + levels.y);
    var above = vec2f();
    for (var i = lane; i < LENGTH; i += LANES) {
      let value = select(x[origin + i], abs(x[origin + i]), of_magnitudes);
      above += select(vec2f(), vec2f(value, 1.0), value > bound);
    }
    let sums = added(lane, above);
    let below = vec2f(mean * f32(LENGTH), f32(LENGTH)) - sums;
    // All values are the same: there is one level.
    levels = select(levels, vec2f(below.x / max(below.y, 1.0), sums.x / max(sums.y, 1.0)), sums.y > 0.0);
  }
  return levels;
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = (group.y + FIRST_ROW) * groups.x + group.x;
  if (row >= ROWS) {
    return;
  }
  let origin = row * LENGTH;
  var sums = vec2f();
  for (var i = lane; i < LENGTH; i += LANES) {
    let value = x[origin + i];
    sums += vec2f(value, abs(value));
  }
  let means = added(lane, sums) / f32(LENGTH);
  var spreads = vec2f();
  for (var i = lane; i < LENGTH; i += LANES) {
    let distance = x[origin + i] - means.x;
    spreads += vec2f(distance * distance, abs(distance));
  }
  let deviations = added(lane, spreads) / f32(LENGTH);
  var medians = vec2f();
  if (MEDIANS == 1u) {
    medians = vec2f(middle(lane, origin, means.x, false), middle(lane, origin, means.x, true));
  }
  var levels = vec4f();
  if (HALVES == 1u) {
    levels = vec4f(halves(lane, origin, means.x, false), halves(lane, origin, means.y, true));
  }
  if (lane == 0u) {
    statistics[row] = RowStatistics(
      means.x, means.y, sqrt(deviations.x), deviations.y, medians.x, medians.y,
      levels.x, levels.y, levels.z, levels.w,
    );
  }
}
