// Adds a batch to the sums of an evaluation whose targets are bits or reals; one invocation an output, which takes the rows in
// their order.
//!include "lib/loss/targets.wgsl"

override BATCH: u32;
override OUTPUTS: u32;
override REALS: u32; // 1: targets are f32 [BATCH, OUTPUTS] as bits; 0: bits [BATCH, OUTPUTS + 1]

@group(0) @binding(0) var<storage, read> logits: array<f32>; // [BATCH, OUTPUTS]
@group(0) @binding(1) var<storage, read> targets: array<u32>;
// [OUTPUTS, 4]: of bits, counts of rows that are (wanted and given, given only, wanted only, neither); of reals, as bits of f32,
// the sums of (squared errors, their sizes, targets, squared targets)
@group(0) @binding(2) var<storage, read_write> tally: array<vec4u>;

fn target_bit(row: u32, c: u32) -> u32 {
  return (targets[row * ((OUTPUTS + 32u) / 32u) + (c >> 5u)] >> (c & 31u)) & 1u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= OUTPUTS) {
    return;
  }
  var counts = vec4u(0u);
  var sums = vec4f(0.0);
  for (var row = 0u; row < BATCH; row++) {
    let logit = logits[row * OUTPUTS + c];
    if (REALS == 1u) {
      if (targets[row * OUTPUTS] != NO_LABEL) {
        let wanted = bitcast<f32>(targets[row * OUTPUTS + c]);
        let error = logit - wanted;
        sums += vec4f(error * error, abs(error), wanted, wanted * wanted);
      }
    } else if (target_bit(row, OUTPUTS) == 0u) {
      let wanted = target_bit(row, c) == 1u;
      let given = logit > 0.0;
      counts += select(vec4u(0u), vec4u(1u), vec4<bool>(wanted && given, !wanted && given, wanted && !given, !wanted && !given));
    }
  }
  if (REALS == 1u) {
    tally[c] = bitcast<vec4u>(bitcast<vec4f>(tally[c]) + sums);
  } else {
    tally[c] += counts;
  }
}
