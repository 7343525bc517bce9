// |o - t|, the mean over the outputs.
fn row_loss(row: Row) -> f32 {
  let share = 1.0 / (row.rows * f32(OUTPUTS));
  var loss = 0.0;
  for (var c = 0u; c < OUTPUTS; c++) {
    let error = output(row, c) - wanted(row, c);
    loss += abs(error);
    set_gradient(row, c, sign(error) * share);
  }
  return loss / f32(OUTPUTS);
}
