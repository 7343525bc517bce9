// Up to four stages of a fast Walsh-Hadamard transform of every row, in registers: one invocation takes RADIX numbers
// that lie STRIDE apart. The first pass of a round draws the random signs and pads the row with zeros.
//!include "lib/index.wgsl"
//!include "lib/random.wgsl"

override ROWS: u32;
override LENGTH: u32; // of a row of x
override SIZE: u32; // of a row of the result, a power of two
override RADIX: u32; // 1, 2, 4, 8 or 16; STRIDE * RADIX divides SIZE
override STRIDE: u32;
override SCALE: f32; // of this pass: RADIX^(-1/2)
override SIGNED: u32; // 1 where x is multiplied by the random signs of the round
override SEED: u32;
override ROUND: u32;

@group(0) @binding(0) var<storage, read> x: array<f32>; // [ROWS, LENGTH]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // [ROWS, SIZE]

const STREAM_ROTATION = 0x726f7461u;

fn element(row: u32, i: u32) -> f32 {
  if (i >= LENGTH) {
    return 0.0;
  }
  let value = x[row * LENGTH + i];
  if (SIGNED == 1u && (pcg4d(vec4u(SEED, STREAM_ROTATION, i, ROUND)).x >> 31u) == 1u) {
    return -value;
  }
  return value;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let per_row = SIZE / RADIX;
  if (index >= ROWS * per_row) {
    return;
  }
  let row = index / per_row;
  let part = index % per_row;
  let first = part / STRIDE * STRIDE * RADIX + part % STRIDE;
  var v: array<f32, 16>;
  for (var i = 0u; i < RADIX; i++) {
    v[i] = element(row, first + i * STRIDE);
  }
  for (var half = 1u; half < RADIX; half *= 2u) {
    for (var i = 0u; i < RADIX; i++) {
      if ((i & half) == 0u) {
        let a = v[i];
        let b = v[i + half];
        v[i] = a + b;
        v[i + half] = a - b;
      }
    }
  }
  for (var i = 0u; i < RADIX; i++) {
    out[row * SIZE + first + i * STRIDE] = SCALE * v[i];
  }
}
