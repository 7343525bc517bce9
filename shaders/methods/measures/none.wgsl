// What stands in a frame's hole until an optimizer brings a measure of its own.
fn measure(was: Lane, now: Lane, g: Lane, slots: Slots) -> Lane {
  return Lane(0.0);
}
