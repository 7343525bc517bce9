// What a quantizer may know of the row of weights, one filter, that a weight stands in.
//!gives RowStatistics
struct RowStatistics {
  mean: f32,
  mean_magnitude: f32, // mean of |x|
  sd: f32, // root of the mean of (x - mean)^2
  mean_deviation: f32, // mean of |x - mean|
  median: f32, // of an even number of weights the upper one in the middle
  median_deviation: f32, // of |x - mean|, in the same way
  lower: f32, // mean of the values below the middle between it and `upper`: the two levels that are nearest to the row
  upper: f32, // mean of those above it
  lower_magnitude: f32, // the same of |x|
  upper_magnitude: f32,
}
