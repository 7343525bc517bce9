// Merges the chunks of `norm/moments` in their order (Chan, Golub & LeVeque 1979): nothing large is subtracted.
//
// The mean of whole numbers is at most an ulp or a few off, which decides signs: of those that are the mean, or next to it. With n
// the whole number next to it, the sum of x - n is ROWS / 2 in size at most, so that it is right however often the sum of
// x wrapped around; where it says that the mean is n, or on n's other side, the mean is put there.
//!needs Lane, LaneInts, WIDTH
//!gives x

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32;
override INTEGERS: u32; // 1: x holds whole numbers of at most 2^24, and `totals` their sums
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]; the first row is read
@group(0) @binding(1) var<storage, read> means: array<Lane>; // f32 [CHUNKS, CHANNELS], less the first row of x
@group(0) @binding(2) var<storage, read> deviations: array<Lane>; // f32 [CHUNKS, CHANNELS]
@group(0) @binding(3) var<storage, read> totals: array<LaneInts>; // i32 [CHUNKS, CHANNELS], modulo 2^32; if INTEGERS
@group(0) @binding(4) var<storage, read_write> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(5) var<storage, read_write> variance: array<Lane>; // f32 [CHANNELS], divided by ROWS
@group(0) @binding(6) var<storage, read_write> inverse_std: array<Lane>; // f32 [CHANNELS]

// A mean of whole numbers, on the side of the nearest one on which it is. `total` is their sum modulo 2^32.
fn settled(mean: Lane, total: LaneInts) -> Lane {
  let n = round(mean);
  let excess = total - LaneInts(n) * i32(ROWS);
  let side = sign(Lane(excess));
  // The float next to n on that side; next to 0 there are none that aren't flushed.
  let outwards = select(LaneInts(-1), LaneInts(1), side == sign(n));
  let neighbour = bitcast<Lane>(bitcast<LaneInts>(n) + outwards);
  let beside = select(neighbour, Lane(excess) / f32(ROWS), n == Lane(0.0));
  return select(select(beside, n, side == Lane(0.0)), mean, side == sign(mean - n));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let lane = id.x;
  if (lane >= lanes) {
    return;
  }
  var merged = means[lane];
  var deviation = deviations[lane];
  var total = LaneInts(0);
  if (INTEGERS == 1u) {
    total = totals[lane];
  }
  var count = f32((ROWS + CHUNKS - 1u) / CHUNKS);
  for (var chunk = 1u; chunk < CHUNKS; chunk++) {
    let more = f32((ROWS - chunk + CHUNKS - 1u) / CHUNKS);
    let difference = means[chunk * lanes + lane] - merged;
    let share = more / (count + more);
    merged += difference * share;
    deviation += deviations[chunk * lanes + lane] + difference * difference * (count * share);
    count += more;
    if (INTEGERS == 1u) {
      total += totals[chunk * lanes + lane];
    }
  }
  let spread = deviation / f32(ROWS);
  var centre = x[lane] + merged;
  if (INTEGERS == 1u) {
    centre = settled(centre, total);
  }
  mean[lane] = centre;
  variance[lane] = spread;
  inverse_std[lane] = 1.0 / sqrt(spread + Lane(EPSILON));
}
