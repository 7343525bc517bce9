// The cross-entropy of a logistic output each, the mean over the outputs: log(1 + exp(o)) - t o.
fn row_loss(row: Row) -> f32 {
  let share = 1.0 / (row.rows * f32(OUTPUTS));
  var loss = 0.0;
  for (var c = 0u; c < OUTPUTS; c++) {
    let o = output(row, c);
    let t = wanted(row, c);
    // In e = exp(-|o|) nothing overflows: log(1 + exp(o)) = max(o, 0) + log(1 + e).
    let e = exp(-abs(o));
    loss += max(o, 0.0) + log(1.0 + e) - t * o;
    let sigmoid = select(e, 1.0, o >= 0.0) / (1.0 + e);
    set_gradient(row, c, (sigmoid - t) * share);
  }
  return loss / f32(OUTPUTS);
}
