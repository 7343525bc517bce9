// -1, 0 or 1 by a threshold, as half of the sum of two signs (Li et al. 2016).
override PLANE: u32;
override THRESHOLD: f32;
override SHARE: f32; // of the row's mean magnitude, which the threshold is more by

fn argument(x: f32, row: RowStatistics) -> f32 {
  let threshold = THRESHOLD + SHARE * row.mean_magnitude;
  return select(x - threshold, x + threshold, PLANE == 1u);
}

fn scale(row: RowStatistics) -> f32 {
  return 0.5;
}
