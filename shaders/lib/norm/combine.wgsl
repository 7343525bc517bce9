// Merges the chunks of `norm/moments` in their order (Chan, Golub & LeVeque 1979): nothing large is subtracted.

override ROWS: u32;
override CHANNELS: u32;
override CHUNKS: u32;
override EPSILON: f32;

@group(0) @binding(0) var<storage, read> x: array<Lane>; // f32 [ROWS, CHANNELS]; the first row is read
@group(0) @binding(1) var<storage, read> means: array<Lane>; // f32 [CHUNKS, CHANNELS], less the first row of x
@group(0) @binding(2) var<storage, read> deviations: array<Lane>; // f32 [CHUNKS, CHANNELS]
@group(0) @binding(3) var<storage, read_write> mean: array<Lane>; // f32 [CHANNELS]
@group(0) @binding(4) var<storage, read_write> variance: array<Lane>; // f32 [CHANNELS], divided by ROWS
@group(0) @binding(5) var<storage, read_write> inverse_std: array<Lane>; // f32 [CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lanes = CHANNELS / WIDTH;
  let lane = id.x;
  if (lane >= lanes) {
    return;
  }
  var merged = means[lane];
  var deviation = deviations[lane];
  var count = f32((ROWS + CHUNKS - 1u) / CHUNKS);
  for (var chunk = 1u; chunk < CHUNKS; chunk++) {
    let more = f32((ROWS - chunk + CHUNKS - 1u) / CHUNKS);
    let difference = means[chunk * lanes + lane] - merged;
    let share = more / (count + more);
    merged += difference * share;
    deviation += deviations[chunk * lanes + lane] + difference * difference * (count * share);
    count += more;
  }
  let spread = deviation / f32(ROWS);
  mean[lane] = x[lane] + merged;
  variance[lane] = spread;
  inverse_std[lane] = 1.0 / sqrt(spread + Lane(EPSILON));
}
