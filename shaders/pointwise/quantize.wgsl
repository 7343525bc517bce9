// Uniform quantization: integers of x / scale + zero_point between LOW and HIGH, less the zero point; times the scale again
// unless INTEGERS. Clamped first, then rounded, as QONNX does it. One invocation makes one value.
//!include "lib/index.wgsl"

override SIZE: u32;
override CHANNELS: u32;
override LOW: f32; // integers, LOW <= HIGH
override HIGH: f32;
// 0 half to even, 1 down, 2 up, 3 toward zero, 4 away from zero, 5 half away from zero, 6 half toward zero
override ROUNDING: u32;
override INTEGERS: u32; // 1: the integers themselves, less the zero point

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE / CHANNELS, CHANNELS]
@group(0) @binding(1) var<storage, read> scale: array<f32>; // [CHANNELS], not 0
@group(0) @binding(2) var<storage, read> zero_point: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [SIZE / CHANNELS, CHANNELS]

fn rounded(value: f32) -> f32 {
  let whole = trunc(value);
  let rest = abs(value - whole);
  let next = whole + sign(value);
  switch ROUNDING {
    case 1u: { return floor(value); }
    case 2u: { return ceil(value); }
    case 3u: { return whole; }
    case 4u: { return select(whole, next, rest > 0.0); }
    case 5u: { return select(whole, next, rest >= 0.5); }
    case 6u: { return select(whole, next, rest > 0.5); }
    default: { return round(value); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let channel = index % CHANNELS;
  let step = scale[channel];
  let zero = zero_point[channel];
  let integer = rounded(clamp(x[index] / step + zero, LOW, HIGH)) - zero;
  y[index] = select(integer * step, integer, INTEGERS == 1u);
}
