// The binary digits of round((2^BITS - 1) clip(x, 0, 1)), the highest first (Zhou et al. 2016, DoReFa-Net).
override PLANE: u32;
override BITS: u32;

fn argument(x: f32, row: RowStatistics) -> f32 {
  let level = u32(round(f32((1u << BITS) - 1u) * clamp(x, 0.0, 1.0)));
  return f32((level >> (BITS - 1u - PLANE)) & 1u) - 0.5;
}

// Half of what the digit stands for: a sign is twice the digit, less 1.
fn scale(row: RowStatistics) -> f32 {
  return 0.5 * f32(1u << (BITS - 1u - PLANE)) / f32((1u << BITS) - 1u);
}

fn offset(row: RowStatistics) -> f32 {
  return scale(row);
}
