// max(0, 1 - t o)^2, the mean over the outputs; t = 1 where an output is wanted, else -1 (Courbariaux et al. 2016). Of shares, both
// by what is wanted of each.
fn row_loss(row: Row) -> f32 {
  let share = 1.0 / (row.rows * f32(OUTPUTS));
  var loss = 0.0;
  for (var c = 0u; c < OUTPUTS; c++) {
    if (TARGETS == SHARES) {
      let t = wanted(row, c);
      let above = max(0.0, 1.0 - output(row, c));
      let below = max(0.0, 1.0 + output(row, c));
      loss += t * above * above + (1.0 - t) * below * below;
      set_gradient(row, c, 2.0 * ((1.0 - t) * below - t * above) * share);
      continue;
    }
    let side = select(-1.0, 1.0, wanted(row, c) > 0.5);
    let margin = max(0.0, 1.0 - side * output(row, c));
    loss += margin * margin;
    set_gradient(row, c, -2.0 * side * margin * share);
  }
  return loss / f32(OUTPUTS);
}
