// What the frame of losses gives to the function of a loss: one row of outputs, what is wanted of it, and where its gradient
// goes.
// What it needs are bindings of the frame.
//!needs grad, HAS_TEACHER, logits, targets, teacher
//!gives BITS, CLASSES, GRADIENT, output, OUTPUTS, REALS, Row, set_gradient, SHARES, target_bit, TARGETS, taught, wanted
override OUTPUTS: u32; // of a row
override GRADIENT: u32; // 0: `grad` is a placeholder
override TARGETS: u32; // CLASSES, REALS, BITS or SHARES

const CLASSES = 0u; // targets are labels [BATCH]
const REALS = 1u; // targets are f32 [BATCH, OUTPUTS], as bits
const BITS = 2u; // targets are bits [BATCH, OUTPUTS + 1]: which outputs are wanted; the last bit says that there is no sample
const SHARES = 3u; // targets are f32 [BATCH, OUTPUTS], as bits: the share of each class that is wanted

struct Row {
  index: u32,
  label: u32, // CLASSES: the class; else 0
  largest: f32, // of the outputs
  rows: f32, // of the batch that count; gradients are of the mean over them
  weight: f32, // of this sample; the frame multiplies the loss by it, and the gradient
}

fn output(row: Row, c: u32) -> f32 {
  return logits[row.index * OUTPUTS + c];
}

// What output c should be: of a class, 1 at the label and 0 elsewhere; of bits, 1 or 0.
fn wanted(row: Row, c: u32) -> f32 {
  if (TARGETS == REALS || TARGETS == SHARES) {
    return bitcast<f32>(targets[row.index * OUTPUTS + c]);
  }
  if (TARGETS == BITS) {
    return f32(target_bit(row.index, c));
  }
  return select(0.0, 1.0, c == row.label);
}

fn target_bit(row: u32, c: u32) -> u32 {
  return (targets[row * ((OUTPUTS + 32u) / 32u) + (c >> 5u)] >> (c & 31u)) & 1u;
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
