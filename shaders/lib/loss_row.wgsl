// What the frame of losses gives to the function of a loss: one row of outputs, what is wanted of it, and where its gradient
// goes.
//
// needs  logits, targets, teacher, weights, grad (the frame's bindings)
// gives  Row, output, wanted, taught, set_gradient, OUTPUTS
override OUTPUTS: u32; // of a row
override GRADIENT: u32; // 0: `grad` is a placeholder
override TARGETS: u32; // CLASSES or REALS

const CLASSES = 0u; // targets are labels [BATCH]
const REALS = 1u; // targets are f32 [BATCH, OUTPUTS], as bits

struct Row {
  index: u32,
  label: u32, // CLASSES: the class; REALS: 0
  largest: f32, // of the outputs
  rows: f32, // of the batch that count; gradients are of the mean over them
  weight: f32, // of this sample; the frame multiplies the loss by it, and the gradient
}

fn output(row: Row, c: u32) -> f32 {
  return logits[row.index * OUTPUTS + c];
}

// What output c should be: of a class, 1 at the label and 0 elsewhere.
fn wanted(row: Row, c: u32) -> f32 {
  if (TARGETS == REALS) {
    return bitcast<f32>(targets[row.index * OUTPUTS + c]);
  }
  return select(0.0, 1.0, c == row.label);
}

// Output c of the teacher, where there is one; else what is wanted.
fn taught(row: Row, c: u32) -> f32 {
  if (HAS_TEACHER == 1u) {
    return teacher[row.index * OUTPUTS + c];
  }
  return wanted(row, c);
}

// The derivative of the mean loss of the batch with respect to output c of this row: 1 / row.rows of the row's own.
fn set_gradient(row: Row, c: u32, gradient: f32) {
  if (GRADIENT == 1u) {
    grad[row.index * OUTPUTS + c] = gradient * row.weight;
  }
}
