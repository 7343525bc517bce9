// What the two stages of a loss share.
//!gives is_finite, NO_LABEL, QUIET_NAN, ROW_BROKEN, ROW_HIT, ROW_VALID
const NO_LABEL = 0xffffffffu;

// Flags of a row.
const ROW_VALID = 1u;
const ROW_HIT = 2u;
const ROW_BROKEN = 4u; // a logit or the loss is not finite, or the label is no class

const QUIET_NAN = 0x7fc00000u;

// On the bits, since float arithmetic may assume that there are only finite numbers.
fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
