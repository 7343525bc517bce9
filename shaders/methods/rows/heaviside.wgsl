// 1 where x > 0, else 0: half a sign and a half.
fn argument(x: f32, row: RowStatistics) -> f32 {
  return select(-1.0, 1.0, x > 0.0);
}

fn scale(row: RowStatistics) -> f32 {
  return 0.5;
}

fn offset(row: RowStatistics) -> f32 {
  return 0.5;
}
