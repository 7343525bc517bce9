// `data/gather` without augmentation, for images of whole words: one invocation turns four bytes into four floats.
//!include "lib/index.wgsl"

override BATCH: u32;
override WORDS: u32; // words of one image
override CHANNELS: u32;
override SCALE_0: f32;
override SCALE_1: f32;
override SCALE_2: f32;
override SCALE_3: f32;
override SHIFT_0: f32;
override SHIFT_1: f32;
override SHIFT_2: f32;
override SHIFT_3: f32;

@group(0) @binding(0) var<storage, read> images: array<u32>; // u8 [places, 4 * WORDS]
@group(0) @binding(1) var<storage, read> rows: array<vec4u>; // [BATCH]: place, ignored
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>; // [BATCH, WORDS]

const NONE = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * WORDS) {
    return;
  }
  let place = rows[index / WORDS].x;
  if (place == NONE) {
    x[index] = vec4f(0.0);
    return;
  }
  let word = images[place * WORDS + index % WORDS];
  let bytes = vec4f((vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu));
  var scale = vec4f(SCALE_0, SCALE_1, SCALE_2, SCALE_3);
  var shift = vec4f(SHIFT_0, SHIFT_1, SHIFT_2, SHIFT_3);
  if (CHANNELS == 3u) {
    // The channels of the four bytes start anywhere in the pixel.
    let phase = index % 3u;
    scale = select(select(scale.zxyz, scale.yzxy, vec4<bool>(phase == 1u)), scale.xyzx, vec4<bool>(phase == 0u));
    shift = select(select(shift.zxyz, shift.yzxy, vec4<bool>(phase == 1u)), shift.xyzx, vec4<bool>(phase == 0u));
  }
  x[index] = bytes * scale + shift;
}
