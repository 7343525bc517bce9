// Scales and shifts every channel and rounds to the integers of a quantized tensor, halves away from zero, saturating.
// Integers travel as f32, exact below 2^24, and less OFFSET, so that a quantized zero is 0. One invocation makes one value.
//!include "lib/index.wgsl"

override ROWS: u32;
override CHANNELS: u32;
override LOW: f32; // integers, LOW <= HIGH
override HIGH: f32;
override OFFSET: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> scale: array<f32>; // [CHANNELS]
@group(0) @binding(2) var<storage, read> shift: array<f32>; // [CHANNELS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [ROWS, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * CHANNELS) {
    return;
  }
  let channel = index % CHANNELS;
  let real = x[index] * scale[channel] + shift[channel];
  let size = abs(real);
  let whole = floor(size);
  // Adding 0.5 first would carry the float just below 0.5 over to 1.
  let nearest = select(whole, whole + 1.0, size - whole >= 0.5);
  y[index] = clamp(select(nearest, -nearest, real < 0.0), LOW, HIGH) - OFFSET;
}
