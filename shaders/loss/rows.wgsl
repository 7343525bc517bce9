// Loss, hit and gradient of each row of logits; one invocation a row. The mean is over the rows that have a label, so
// every workgroup counts them first.
//!include "lib/loss.wgsl"

override BATCH: u32;
override CLASSES: u32;
override KIND: u32; // SQUARED_HINGE or CROSS_ENTROPY
override GRADIENT: u32; // 0: `grad` is a placeholder

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [BATCH, CLASSES]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [BATCH]; NO_LABEL for a row without sample
@group(0) @binding(2) var<storage, read_write> row_losses: array<vec2u>; // [BATCH]: bits of the loss, flags
@group(0) @binding(3) var<storage, read_write> grad: array<f32>; // [BATCH, CLASSES]

const SQUARED_HINGE = 0u;
const CROSS_ENTROPY = 1u;

var<workgroup> valid_rows: atomic<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  var mine = 0u;
  for (var row = local; row < BATCH; row += 64u) {
    mine += select(0u, 1u, labels[row] != NO_LABEL);
  }
  atomicAdd(&valid_rows, mine);
  workgroupBarrier();
  let row = id.x;
  if (row >= BATCH) {
    return;
  }
  let first = row * CLASSES;
  let label = labels[row];
  if (label == NO_LABEL) {
    row_losses[row] = vec2u(0u);
    for (var c = 0u; c < CLASSES * GRADIENT; c++) {
      grad[first + c] = 0.0;
    }
    return;
  }
  // A label that is no class must not pass for a row without one.
  var broken = label >= CLASSES;
  var best = 0u;
  var largest = logits[first];
  for (var c = 0u; c < CLASSES; c++) {
    let logit = logits[first + c];
    // Looked for in the bits: float comparisons may assume that there is no NaN.
    broken |= !is_finite(logit);
    if (logit > largest) {
      largest = logit;
      best = c;
    }
  }
  let rows = f32(atomicLoad(&valid_rows));
  var loss = 0.0;
  if (KIND == SQUARED_HINGE) {
    let share = 1.0 / (rows * f32(CLASSES));
    for (var c = 0u; c < CLASSES; c++) {
      let side = select(-1.0, 1.0, c == label);
      let margin = max(0.0, 1.0 - side * logits[first + c]);
      loss += margin * margin;
      if (GRADIENT == 1u) {
        grad[first + c] = -2.0 * side * margin * share;
      }
    }
    loss /= f32(CLASSES);
  } else {
    var sum = 0.0;
    for (var c = 0u; c < CLASSES; c++) {
      sum += exp(logits[first + c] - largest);
    }
    loss = log(sum) - (logits[first + min(label, CLASSES - 1u)] - largest);
    if (GRADIENT == 1u) {
      let share = 1.0 / (rows * sum);
      for (var c = 0u; c < CLASSES; c++) {
        let target_share = select(0.0, 1.0 / rows, c == label);
        grad[first + c] = exp(logits[first + c] - largest) * share - target_share;
      }
    }
  }
  broken |= !is_finite(loss);
  let hit = best == label && !broken;
  row_losses[row] = vec2u(bitcast<u32>(loss), ROW_VALID | select(0u, ROW_HIT, hit) | select(0u, ROW_BROKEN, broken));
}
