// Weights that are their signs.
fn argument(x: f32, row: RowStatistics) -> f32 {
  return x;
}

fn slope(x: f32, row: RowStatistics) -> f32 {
  return 1.0;
}

fn scale(row: RowStatistics) -> f32 {
  return 1.0;
}

fn offset(row: RowStatistics) -> f32 {
  return 0.0;
}
