// Central moments of the pairs (x, y) in every column, first stage: one invocation takes SPAN rows of a column, so that
// neighbours read neighbours. Means first, then deviations from them: raw sums of squares would cancel.
//!include "lib/index.wgsl"

override ROWS: u32;
override COLUMNS: u32;
override SPAN: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, COLUMNS]
@group(0) @binding(1) var<storage, read> y: array<f32>; // [ROWS, COLUMNS]
// f32 [ceil(ROWS / SPAN), 6, COLUMNS]: mean of x, of y, sum of squared deviations of x, of y, of their products, and
// pairs whose signs differ
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let chunks = (ROWS + SPAN - 1u) / SPAN;
  if (index >= chunks * COLUMNS) {
    return;
  }
  let column = index % COLUMNS;
  let first = index / COLUMNS * SPAN;
  let last = min(first + SPAN, ROWS);
  let count = f32(last - first);
  var sum = vec2f(0.0);
  for (var row = first; row < last; row++) {
    let at = row * COLUMNS + column;
    sum += vec2f(x[at], y[at]);
  }
  let mean = sum / count;
  var squares = vec2f(0.0);
  var products = 0.0;
  var rest = vec2f(0.0);
  var changes = 0u;
  for (var row = first; row < last; row++) {
    let at = row * COLUMNS + column;
    let pair = vec2f(x[at], y[at]);
    let deviation = pair - mean;
    rest += deviation;
    squares += deviation * deviation;
    products += deviation.x * deviation.y;
    changes += select(0u, 1u, (pair.x < 0.0) != (pair.y < 0.0));
  }
  // What rounding left of the deviations' sum, which should be nothing.
  squares -= rest * rest / count;
  products -= rest.x * rest.y / count;
  let out = index / COLUMNS * 6u * COLUMNS + column;
  parts[out] = mean.x + rest.x / count;
  parts[out + COLUMNS] = mean.y + rest.y / count;
  parts[out + 2u * COLUMNS] = max(squares.x, 0.0);
  parts[out + 3u * COLUMNS] = max(squares.y, 0.0);
  parts[out + 4u * COLUMNS] = products;
  parts[out + 5u * COLUMNS] = f32(changes);
}
