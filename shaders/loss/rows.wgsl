// The frame of losses: loss, hit and gradient of each row of outputs; one invocation a row. The mean is over the rows that
// have a target, so every workgroup counts them first. The hole is filled by the loss.
//!include "lib/loss/targets.wgsl"
//!include "lib/loss/row.wgsl"
//!hole loss "methods/losses/squared_hinge.wgsl"

override BATCH: u32;
override HAS_TEACHER: u32; // 0: `teacher` is a placeholder
override HAS_WEIGHTS: u32; // 0: all weigh 1, and `weights` is a placeholder
override WEIGHT: f32; // of this loss among others; 1 where it is the only one
override ADDED: u32; // 1: rows have losses already, and this one is added

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [BATCH, OUTPUTS]
// By TARGETS: u32 [BATCH], NO_LABEL for a row without sample; f32 [BATCH, OUTPUTS] as bits, the first of which is NO_LABEL then;
// or bits [BATCH, OUTPUTS + 1], the last of which is 1 then. SHARES are as REALS.
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> teacher: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [BATCH]
@group(0) @binding(4) var<storage, read_write> row_losses: array<vec2u>; // [BATCH]: bits of the loss, flags
@group(0) @binding(5) var<storage, read_write> grad: array<f32>; // [BATCH, OUTPUTS]

var<workgroup> valid_rows: atomic<u32>;

fn first_target(row: u32) -> u32 {
  if (TARGETS == BITS) {
    return select(0u, NO_LABEL, target_bit(row, OUTPUTS) == 1u);
  }
  return targets[row * select(1u, OUTPUTS, TARGETS != CLASSES)];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
  var mine = 0u;
  for (var row = local; row < BATCH; row += 64u) {
    mine += select(0u, 1u, first_target(row) != NO_LABEL);
  }
  atomicAdd(&valid_rows, mine);
  workgroupBarrier();
  let index = id.x;
  if (index >= BATCH) {
    return;
  }
  let first = first_target(index);
  if (first == NO_LABEL) {
    if (ADDED == 0u) {
      row_losses[index] = vec2u(0u);
    }
    for (var c = 0u; c < OUTPUTS * GRADIENT; c++) {
      grad[index * OUTPUTS + c] = 0.0;
    }
    return;
  }
  var row = Row(index, select(first, 0u, TARGETS != CLASSES), 0.0, f32(atomicLoad(&valid_rows)), WEIGHT);
  if (HAS_WEIGHTS == 1u) {
    row.weight = WEIGHT * weights[index];
  }
  // A label that is no class must not pass for a row without one.
  var broken = row.label >= OUTPUTS;
  var best = 0u;
  var agree = true;
  var asked = row.label;
  var most = -1.0; // of the shares
  row.largest = output(row, 0u);
  for (var c = 0u; c < OUTPUTS; c++) {
    let logit = output(row, c);
    // Looked for in the bits: float comparisons may assume that there is no NaN.
    broken |= !is_finite(logit);
    if (logit > row.largest) {
      row.largest = logit;
      best = c;
    }
    if (TARGETS != CLASSES) {
      broken |= !is_finite(wanted(row, c));
      agree &= (logit > 0.0) == (wanted(row, c) > 0.5);
      if (TARGETS == SHARES && wanted(row, c) > most) {
        most = wanted(row, c);
        asked = c;
      }
    }
  }
  var loss = row_loss(row) * row.weight;
  broken |= !is_finite(loss);
  // Of a target for each output, a hit is a row whose outputs are all on the side of 0 on which they should be.
  var hit = select(best == asked, agree, TARGETS == REALS || TARGETS == BITS) && !broken;
  if (ADDED == 1u) {
    // Hits are those of the first loss.
    let before = row_losses[index];
    loss += bitcast<f32>(before.x);
    broken |= !is_finite(loss) || (before.y & ROW_BROKEN) != 0u;
    hit = (before.y & ROW_HIT) != 0u && !broken;
  }
  row_losses[index] = vec2u(bitcast<u32>(loss), ROW_VALID | select(0u, ROW_HIT, hit) | select(0u, ROW_BROKEN, broken));
}
