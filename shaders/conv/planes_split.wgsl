// Splits the patches of an 8-bit image into bit planes; taps outside the image are 0. One invocation makes one output pixel.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/planes.wgsl"

override REAL: u32; // 1: x holds f32 that are 8-bit integers, one a word; 0: bytes, four a word
override SIGNED: u32; // 1: the integers are -128 to 127; 0: 0 to 255

@group(0) @binding(0) var<storage, read> x: array<u32>; // f32 or u8 [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> planes: array<vec4u>; // [BATCH * OUT_HEIGHT * OUT_WIDTH, PIXEL_VECTORS]

fn value_at(index: u32) -> i32 {
  if (REAL == 1u) {
    return i32(bitcast<f32>(x[index]));
  }
  let byte = (x[index >> 2u] >> ((index & 3u) * 8u)) & 255u;
  return select(i32(byte), i32(byte << 24u) >> 24u, SIGNED == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let pixel = linear_index(id, groups, 64u);
  if (pixel >= BATCH * OUT_HEIGHT * OUT_WIDTH) {
    return;
  }
  let out_x = pixel % OUT_WIDTH;
  let out_y = pixel / OUT_WIDTH % OUT_HEIGHT;
  let n = pixel / (OUT_WIDTH * OUT_HEIGHT);
  let first = pixel * PIXEL_VECTORS;
  var sum = 0;
  var at = first;
  var low = vec4u();
  var high = vec4u();
  var place = 1u; // of the tap in its word; 0 when the word is full
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let row = input_row(out_y, ky);
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      let column = input_column(out_x, kx);
      let inside = row < HEIGHT && column < WIDTH;
      let begin = select(0u, ((n * HEIGHT + row) * WIDTH + column) * CHANNELS, inside);
      for (var c = 0u; c < CHANNELS; c++) {
        let value = select(0, value_at(begin + c), inside);
        sum += value;
        let bits = vec4u(bitcast<u32>(value));
        low += ((bits >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u)) * place;
        high += ((bits >> vec4u(4u, 5u, 6u, 7u)) & vec4u(1u)) * place;
        place *= 2u;
        if (place == 0u) {
          planes[at] = low;
          planes[at + 1u] = high;
          at += 2u;
          low = vec4u();
          high = vec4u();
          place = 1u;
        }
      }
    }
  }
  if (place != 1u) {
    planes[at] = low;
    planes[at + 1u] = high;
  }
  planes[first + 2u * PATCH_WORDS] = vec4u(bitcast<u32>(sum), 0u, 0u, 0u);
}
