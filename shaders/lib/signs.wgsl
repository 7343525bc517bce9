// The sign convention on the raw bits of a float, so that it holds for subnormals too, which a device may flush to
// zero in float arithmetic: negative means below zero; zero of either sign and NaN count as +1.
//!gives is_negative
fn is_negative(float_bits: u32) -> bool {
  return float_bits > 0x80000000u && float_bits <= 0xff800000u;
}
