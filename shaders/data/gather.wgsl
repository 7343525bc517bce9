// Turns the bytes or reals of the chosen samples into floats, cropped and mirrored as drawn. One invocation makes one pixel.
//!include "lib/index.wgsl"

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override PAD: u32;
override REALS: u32; // 1: `images` are f32, as bits
// The value of byte v in channel c is v * SCALE_c + SHIFT_c; channels from the fifth on are as the first.
override SCALE_0: f32;
override SCALE_1: f32;
override SCALE_2: f32;
override SCALE_3: f32;
override SHIFT_0: f32;
override SHIFT_1: f32;
override SHIFT_2: f32;
override SHIFT_3: f32;

@group(0) @binding(0) var<storage, read> images: array<u32>; // u8 [places, HEIGHT, WIDTH, CHANNELS], four to a word; or f32
@group(0) @binding(1) var<storage, read> rows: array<vec4u>; // [BATCH]: place, top, left, 1 if mirrored
@group(0) @binding(2) var<storage, read_write> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]

const NONE = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pixel = linear_index(id, groups, 64u);
  if (pixel >= BATCH * HEIGHT * WIDTH) {
    return;
  }
  let row = rows[pixel / (HEIGHT * WIDTH)];
  let first = pixel * CHANNELS;
  if (row.x == NONE) {
    for (var c = 0u; c < CHANNELS; c++) {
      x[first + c] = 0.0;
    }
    return;
  }
  let scale = vec4f(SCALE_0, SCALE_1, SCALE_2, SCALE_3);
  let shift = vec4f(SHIFT_0, SHIFT_1, SHIFT_2, SHIFT_3);
  let across = pixel % WIDTH;
  // Coordinates in the image; those left of or above it wrap to large numbers.
  let source_y = (pixel / WIDTH) % HEIGHT + row.y - PAD;
  let source_x = select(across, WIDTH - 1u - across, row.w == 1u) + row.z - PAD;
  let inside = source_y < HEIGHT && source_x < WIDTH;
  let source = ((row.x * HEIGHT + source_y) * WIDTH + source_x) * CHANNELS;
  for (var c = 0u; c < CHANNELS; c++) {
    var value = 0.0;
    if (inside) {
      let at = source + c;
      if (REALS == 1u) {
        value = bitcast<f32>(images[at]);
      } else {
        value = f32((images[at >> 2u] >> (8u * (at & 3u))) & 0xffu);
      }
    }
    let lane = select(0u, c, c < 4u);
    x[first + c] = value * scale[lane] + shift[lane];
  }
}
