// (1 - SHARE) times the cross-entropy with the label, and SHARE times T^2 KL(softmax(teacher / T) || softmax(o / T)).
override TEMPERATURE: f32;
override SHARE: f32;

fn row_loss(row: Row) -> f32 {
  var top = taught(row, 0u);
  for (var c = 1u; c < OUTPUTS; c++) {
    top = max(top, taught(row, c));
  }
  var sum = 0.0;
  var soft_sum = 0.0;
  var teacher_sum = 0.0;
  var total = 0.0; // of what is wanted: 1 of a class
  for (var c = 0u; c < OUTPUTS; c++) {
    let above = output(row, c) - row.largest;
    sum += exp(above);
    soft_sum += exp(above / TEMPERATURE);
    teacher_sum += exp((taught(row, c) - top) / TEMPERATURE);
    total += wanted(row, c);
  }
  var loss = (1.0 - SHARE) * total * log(sum);
  for (var c = 0u; c < OUTPUTS; c++) {
    let above = output(row, c) - row.largest;
    let t = wanted(row, c);
    let log_soft = above / TEMPERATURE - log(soft_sum);
    let log_teacher = (taught(row, c) - top) / TEMPERATURE - log(teacher_sum);
    loss -= (1.0 - SHARE) * t * above;
    loss += SHARE * TEMPERATURE * TEMPERATURE * exp(log_teacher) * (log_teacher - log_soft);
    let hard = total * exp(above) / sum - t;
    let soft = TEMPERATURE * (exp(log_soft) - exp(log_teacher));
    set_gradient(row, c, ((1.0 - SHARE) * hard + SHARE * soft) / row.rows);
  }
  return loss;
}
