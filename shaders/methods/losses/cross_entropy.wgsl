// -sum(t log softmax(o)), with t the share that is wanted of each output: SMOOTHING of it is shared out among all.
override SMOOTHING: f32;

fn share_of(row: Row, c: u32) -> f32 {
  return wanted(row, c) * (1.0 - SMOOTHING) + SMOOTHING / f32(OUTPUTS);
}

fn row_loss(row: Row) -> f32 {
  var sum = 0.0;
  var total = 0.0; // of the shares: 1 where they are of a class
  for (var c = 0u; c < OUTPUTS; c++) {
    sum += exp(output(row, c) - row.largest);
    total += share_of(row, c);
  }
  var loss = total * log(sum);
  let scale = total / (row.rows * sum);
  for (var c = 0u; c < OUTPUTS; c++) {
    let above = output(row, c) - row.largest;
    loss -= share_of(row, c) * above;
    set_gradient(row, c, exp(above) * scale - share_of(row, c) / row.rows);
  }
  return loss;
}
