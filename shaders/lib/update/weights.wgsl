// What the frames of updates give to an optimizer's function, beside its arguments.
//
// needs  Lane, negative_lanes, signs_of (lib/words/lanes1.wgsl or lib/words/lanes4.wgsl)
// gives  STEP_SCALE, sign_lanes
//!needs Lane, negative_lanes, signs_of
//!gives STEP_SCALE, TABLE_ROWS
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override TABLE_ROWS: u32; // batches of an epoch, and one more
override STEP_SCALE: f32; // what the steps of this parameter are multiplied by; 1 for real parameters

// -1 where w < 0, else 1: also for -0 and NaN.
fn sign_lanes(w: Lane) -> Lane {
  return signs_of(negative_lanes(w));
}
