// Half of a filter's weights are those that are farther from its mean than the median distance (Lin et al. 2021, SiMaN).
fn argument(x: f32, row: RowStatistics) -> f32 {
  return (abs(x - row.mean) - row.median_deviation) / max(row.sd, 1e-20);
}

fn slope(x: f32, row: RowStatistics) -> f32 {
  return sign(x - row.mean) / max(row.sd, 1e-20);
}
