// Adds a batch to the counts of an evaluation whose targets are classes: rows by their class and by the class that they were
// taken for, and rows whose class is among the best. Integers, so that the order doesn't matter.

override BATCH: u32;
override OUTPUTS: u32;
override BEST: u32; // how many outputs count as the best
override MATRIX: u32; // 1: counts of all pairs [OUTPUTS, OUTPUTS]; 0: rows, answers and hits of each class [3, OUTPUTS]

const HEAD = 1u; // rows whose class is among the best

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(1) var<storage, read> targets: array<u32>; // [BATCH]; of a row without sample no class
@group(0) @binding(2) var<storage, read_write> tally: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= BATCH) {
    return;
  }
  let label = targets[row];
  if (label >= OUTPUTS) {
    return;
  }
  let own = logits[row * OUTPUTS + label];
  var answer = 0u;
  var largest = logits[row * OUTPUTS];
  var before = 0u;
  for (var c = 0u; c < OUTPUTS; c++) {
    let logit = logits[row * OUTPUTS + c];
    if (logit > largest) {
      largest = logit;
      answer = c;
    }
    // Of equal outputs the first comes first, as it does for the answer.
    before += select(0u, 1u, logit > own || (logit == own && c < label));
  }
  atomicAdd(&tally[0], select(0u, 1u, before < BEST));
  if (MATRIX == 1u) {
    atomicAdd(&tally[HEAD + label * OUTPUTS + answer], 1u);
    return;
  }
  atomicAdd(&tally[HEAD + label], 1u);
  atomicAdd(&tally[HEAD + OUTPUTS + answer], 1u);
  atomicAdd(&tally[HEAD + 2u * OUTPUTS + label], select(0u, 1u, answer == label));
}
