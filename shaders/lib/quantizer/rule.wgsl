// What the functions of a quantizer's rule know beside a value and its row.
//!gives chance, drawn, group_of
override LEARNED_BY: u32; // 0: one set of learned numbers; 1: one a row; 2: one a channel

var<private> drawn: f32 = 0.5;

// A number from [0, 1) that is drawn anew for each value and step; 1/2 where a network is only run.
fn chance() -> f32 {
  return drawn;
}

// Which learned numbers are a value's.
fn group_of(row: u32, channel: u32) -> u32 {
  return select(select(0u, row, LEARNED_BY == 1u), channel, LEARNED_BY == 2u);
}
