// Statistics of each row, to the bit those of `statistics.wgsl`: one invocation takes a row and adds up what 256 would, part by
// part and in pairs. For software, where waiting for each other is what takes invocations the time.
//!include "lib/index.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/float_keys.wgsl"

override ROWS: u32;
override LENGTH: u32;
override MEDIANS: u32; // 0: leave them 0
override HALVES: u32; // 0: leave means of groups 0

const ROUNDS = 24u; // as many as the twin has

const LANES = 256u;

// Lanes that have something of a row: sums of those that have not would be 0, and add nothing.
fn used() -> u32 {
  return min(LANES, 1u << (32u - countLeadingZeros(LENGTH - 1u)));
}

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, LENGTH]
@group(0) @binding(1) var<storage, read_write> statistics: array<RowStatistics>; // [ROWS]

var<private> parts: array<vec2f, LANES>;
var<private> bins: array<u32, LANES>;

// The sum of all parts.
fn added() -> vec2f {
  for (var half = used() / 2u; half > 0u; half /= 2u) {
    for (var lane = 0u; lane < half; lane++) {
      parts[lane] += parts[lane + half];
    }
  }
  return parts[0];
}

// The value in the middle of the row's, or of their distances from the mean.
fn middle(origin: u32, mean: f32, of_deviations: bool) -> f32 {
  var key = 0u;
  var rank = LENGTH / 2u;
  var known = 0u; // mask of the digits that are known
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    for (var bin = 0u; bin < 256u; bin++) {
      bins[bin] = 0u;
    }
    for (var i = 0u; i < LENGTH; i++) {
      let value = x[origin + i];
      let own = key_of(select(value, abs(value - mean), of_deviations));
      if ((own & known) == key) {
        bins[(own >> shift) & 0xffu] += 1u;
      }
    }
    var bin = 0u;
    for (; bin < 255u; bin++) {
      if (rank < bins[bin]) {
        break;
      }
      rank -= bins[bin];
    }
    key |= bin << shift;
    known |= 0xffu << shift;
  }
  return value_of(key);
}

// Means of the values below and above the middle between them: the two levels that are nearest to the row.
fn halves(origin: u32, mean: f32, of_magnitudes: bool) -> vec2f {
  var levels = vec2f(mean);
  for (var round = 0u; round < ROUNDS; round++) {
    let bound = 0.5 * (levels.x + levels.y);
    for (var lane = 0u; lane < used(); lane++) {
      var above = vec2f();
      for (var i = lane; i < LENGTH; i += LANES) {
        let value = select(x[origin + i], abs(x[origin + i]), of_magnitudes);
        above += select(vec2f(), vec2f(value, 1.0), value > bound);
      }
      parts[lane] = above;
    }
    let sums = added();
    let below = vec2f(mean * f32(LENGTH), f32(LENGTH)) - sums;
    // All values are the same: there is one level.
    levels = select(levels, vec2f(below.x / max(below.y, 1.0), sums.x / max(sums.y, 1.0)), sums.y > 0.0);
  }
  return levels;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = linear_index(id, groups, 64u);
  if (row >= ROWS) {
    return;
  }
  let origin = row * LENGTH;
  for (var lane = 0u; lane < used(); lane++) {
    var sums = vec2f();
    for (var i = lane; i < LENGTH; i += LANES) {
      let value = x[origin + i];
      sums += vec2f(value, abs(value));
    }
    parts[lane] = sums;
  }
  let means = added() / f32(LENGTH);
  for (var lane = 0u; lane < used(); lane++) {
    var spreads = vec2f();
    for (var i = lane; i < LENGTH; i += LANES) {
      let distance = x[origin + i] - means.x;
      spreads += vec2f(distance * distance, abs(distance));
    }
    parts[lane] = spreads;
  }
  let deviations = added() / f32(LENGTH);
  var medians = vec2f();
  if (MEDIANS == 1u) {
    medians = vec2f(middle(origin, means.x, false), middle(origin, means.x, true));
  }
  var levels = vec4f();
  if (HALVES == 1u) {
    levels = vec4f(halves(origin, means.x, false), halves(origin, means.y, true));
  }
  statistics[row] = RowStatistics(
    means.x, means.y, sqrt(deviations.x), deviations.y, medians.x, medians.y,
    levels.x, levels.y, levels.z, levels.w,
  );
}
