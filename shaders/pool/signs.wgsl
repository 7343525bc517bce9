// Pooling of packed signs: the largest of a window is -1 (bit 1) where all of its signs are, the smallest where any is;
// padding never counts. One invocation makes one word: 32 channels. CHANNELS counts signs.
//!include "lib/index.wgsl"
//!include "lib/window/pool.wgsl"

override DIRECTED: u32; // 1: smallest where direction is -1; 0: largest everywhere, direction is not read

@group(0) @binding(0) var<storage, read> x: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> direction: array<u32>; // bits [CHANNELS]
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * words) {
    return;
  }
  let word = index % words;
  let pixel = index / words;
  let n = pixel / (OUT_WIDTH * OUT_HEIGHT);
  let rows = window_pixels(pixel / OUT_WIDTH % OUT_HEIGHT, STRIDE_Y, POOL_HEIGHT, PAD_TOP, HEIGHT);
  let columns = window_pixels(pixel % OUT_WIDTH, STRIDE_X, POOL_WIDTH, PAD_LEFT, WIDTH);

  var all = 0xffffffffu;
  var any = 0u;
  for (var row = rows.first; row < rows.end; row++) {
    for (var column = columns.first; column < columns.end; column++) {
      let signs = x[((n * HEIGHT + row) * WIDTH + column) * words + word];
      all &= signs;
      any |= signs;
    }
  }
  var smallest = 0u;
  if (DIRECTED == 1u) {
    smallest = direction[word];
  }
  out[index] = (all & ~smallest) | (any & smallest);
}
