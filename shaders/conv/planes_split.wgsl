// Splits the patches of an 8-bit image into bit planes; taps outside the image are 0. One invocation makes one output pixel.
//!include "lib/index.wgsl"
//!include "lib/conv.wgsl"
//!include "lib/planes.wgsl"

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
  for (var word = 0u; word < PATCH_WORDS; word++) {
    var low = vec4u();
    var high = vec4u();
    for (var bit = 0u; bit < min(32u, PATCH - word * 32u); bit++) {
      let tap = word * 32u + bit;
      let row = input_row(out_y, tap / (KERNEL_WIDTH * CHANNELS));
      let column = input_column(out_x, tap / CHANNELS % KERNEL_WIDTH);
      if (row < HEIGHT && column < WIDTH) {
        let value = value_at(((n * HEIGHT + row) * WIDTH + column) * CHANNELS + tap % CHANNELS);
        sum += value;
        let bits = vec4u(bitcast<u32>(value));
        low |= ((bits >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u)) << vec4u(bit);
        high |= ((bits >> vec4u(4u, 5u, 6u, 7u)) & vec4u(1u)) << vec4u(bit);
      }
    }
    planes[first + 2u * word] = low;
    planes[first + 2u * word + 1u] = high;
  }
  planes[first + 2u * PATCH_WORDS] = vec4u(bitcast<u32>(sum), 0u, 0u, 0u);
}
