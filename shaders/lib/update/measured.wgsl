// One number of a tensor and step: the mean of what an optimizer measures of each weight's step. Every invocation writes the sum
// of its weights; `optim/measured` adds those up after the update, in a fixed order, and the next step's update reads the mean.
//
// needs  Slots (an optimizer's); sum_lanes (lib/words/lanes1.wgsl or lib/words/lanes4.wgsl); measures, the binding: the mean, 1 once there
//        is one, and the sums
// gives  measured, to the optimizer's function
//!needs Lane, measures, Slots, sum_lanes
//!hole measure "methods/measures/none.wgsl"
//!gives begin_measure, end_measure, take_measure

override MEASURE_START: f32; // the number before the first step

var<private> measured: f32;
var<private> measured_sum: f32;

fn begin_measure() {
  measured = select(MEASURE_START, measures[0], measures[1] == 1.0);
}

fn take_measure(was: Lane, now: Lane, g: Lane, kept: Slots) {
  measured_sum += sum_lanes(measure(was, now, g, kept));
}

fn end_measure(index: u32) {
  measures[2u + index] = measured_sum;
}
