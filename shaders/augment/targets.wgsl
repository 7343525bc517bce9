// Targets as shares of the outputs: mixed with those of the other row, and smoothed.
//!include "lib/index.wgsl"

override BATCH: u32;
override OUTPUTS: u32;
override TARGETS: u32; // CLASSES, REALS or BITS, as of the loss
override PAIRED: u32; // 0: `pairs` is a placeholder
override SMOOTHING: f32; // share of a target that goes to all outputs alike; of a bit, to both of its values

// u32 [BATCH]; f32 [BATCH, OUTPUTS], as bits; or bits [BATCH, OUTPUTS + 1]
@group(0) @binding(0) var<storage, read> targets: array<u32>;
@group(0) @binding(1) var<storage, read> pairs: array<vec2u>; // [BATCH]: row, bits of the share
@group(0) @binding(2) var<storage, read_write> mixed: array<u32>; // f32 [BATCH, OUTPUTS], as bits; NONE in a row without sample

const CLASSES = 0u;
const REALS = 1u;
const NONE = 0xffffffffu;

fn bit_of(row: u32, c: u32) -> u32 {
  return (targets[row * ((OUTPUTS + 32u) / 32u) + (c >> 5u)] >> (c & 31u)) & 1u;
}

fn target_of(row: u32, c: u32) -> f32 {
  if (TARGETS == CLASSES) {
    return select(0.0, 1.0, targets[row] == c);
  }
  if (TARGETS == REALS) {
    return bitcast<f32>(targets[row * OUTPUTS + c]);
  }
  return f32(bit_of(row, c));
}

fn is_empty(row: u32) -> bool {
  if (TARGETS == CLASSES || TARGETS == REALS) {
    return targets[row * select(1u, OUTPUTS, TARGETS == REALS)] == NONE;
  }
  return bit_of(row, OUTPUTS) == 1u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUTPUTS) {
    return;
  }
  let row = index / OUTPUTS;
  let c = index % OUTPUTS;
  if (is_empty(row)) {
    mixed[index] = NONE;
    return;
  }
  var wanted = target_of(row, c);
  if (PAIRED == 1u) {
    let share = bitcast<f32>(pairs[row].y);
    wanted = share * wanted + (1.0 - share) * target_of(pairs[row].x, c);
  }
  if (SMOOTHING > 0.0) {
    wanted = (1.0 - SMOOTHING) * wanted + SMOOTHING / select(2.0, f32(OUTPUTS), TARGETS == CLASSES);
  }
  mixed[index] = bitcast<u32>(wanted);
}
