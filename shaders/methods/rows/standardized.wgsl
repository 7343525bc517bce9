// How far a weight is from the mean of its filter, in deviations. A filter of equal weights has none to divide by.
fn argument(x: f32, row: RowStatistics) -> f32 {
  return (x - row.mean) / max(row.sd, 1e-20);
}

fn slope(x: f32, row: RowStatistics) -> f32 {
  return 1.0 / max(row.sd, 1e-20);
}
