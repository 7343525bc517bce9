// Central moments of the pairs in every column, second stage: the chunks of a column merged in their order (Chan, Golub
// & LeVeque 1979); one invocation a column.
override ROWS: u32;
override COLUMNS: u32;
override SPAN: u32; // rows of a chunk; the last one may have fewer

@group(0) @binding(0) var<storage, read> parts: array<f32>; // [ceil(ROWS / SPAN), 6, COLUMNS]
@group(0) @binding(1) var<storage, read_write> moments: array<f32>; // [6, COLUMNS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x;
  if (column >= COLUMNS) {
    return;
  }
  var count = 0.0;
  var mean = vec2f(0.0);
  var squares = vec2f(0.0);
  var products = 0.0;
  var changes = 0.0;
  for (var first = 0u; first < ROWS; first += SPAN) {
    let part = first / SPAN * 6u * COLUMNS + column;
    let more = f32(min(SPAN, ROWS - first));
    let gap = vec2f(parts[part], parts[part + COLUMNS]) - mean;
    let share = more / (count + more);
    mean += gap * share;
    squares += vec2f(parts[part + 2u * COLUMNS], parts[part + 3u * COLUMNS]) + gap * gap * count * share;
    products += parts[part + 4u * COLUMNS] + gap.x * gap.y * count * share;
    changes += parts[part + 5u * COLUMNS];
    count += more;
  }
  moments[column] = mean.x;
  moments[column + COLUMNS] = mean.y;
  moments[column + 2u * COLUMNS] = squares.x;
  moments[column + 3u * COLUMNS] = squares.y;
  moments[column + 4u * COLUMNS] = products;
  moments[column + 5u * COLUMNS] = changes;
}
