// Sums of the rows of counts; one invocation a column.
override ROWS: u32;
override BINS: u32;

@group(0) @binding(0) var<storage, read> parts: array<u32>; // [ROWS, BINS]
@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // [BINS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let bin = id.x;
  if (bin >= BINS) {
    return;
  }
  var sum = 0u;
  for (var row = 0u; row < ROWS; row++) {
    sum += parts[row * BINS + bin];
  }
  counts[bin] = sum;
}
