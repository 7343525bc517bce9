// What the frames of updates give to an optimizer's function, beside its arguments.
//
// needs  Lane, negative_lanes, signs_of (lib/words/lanes1.wgsl or lib/words/lanes4.wgsl)
// gives  STEP_SCALE, sign_lanes, drawing
//!needs Lane, negative_lanes, signs_of
//!gives drawing, STEP_SCALE, STREAM, TABLE_ROWS
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"

override TABLE_ROWS: u32; // batches of an epoch, and one more
override STEP_SCALE: f32; // what the steps of this parameter are multiplied by; 1 for real parameters
override STREAM: u32; // of what an optimizer draws, one of each parameter

// Counters for pcg4d, others for each lane and step.
var<private> drawing: vec4u;

// -1 where w < 0, else 1: also for -0 and NaN.
fn sign_lanes(w: Lane) -> Lane {
  return signs_of(negative_lanes(w));
}
