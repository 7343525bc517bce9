// Of optimizers that measure nothing: the frames of updates call these.
//
// needs  Slots (an optimizer's)
//!needs Lane, Slots
//!gives begin_measure, end_measure, take_measure
fn begin_measure() {}

fn take_measure(was: Lane, now: Lane, g: Lane, kept: Slots) {}

fn end_measure(index: u32) {}
