// Input patches of PATCHES different places of a convolution's output, chosen by the seed: place permute(SEED, 0, s) of
// them all in row s. One invocation a tap of a patch.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/random.wgsl"

override PATCHES: u32;
override SEED: u32;
override HALF_BITS: u32; // feistelHalfBits(BATCH * OUT_HEIGHT * OUT_WIDTH)

@group(0) @binding(0) var<storage, read> x: array<f32>; // [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> patches: array<f32>; // [PATCHES, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let taps = KERNEL_HEIGHT * KERNEL_WIDTH;
  if (index >= PATCHES * taps) {
    return;
  }
  let place = permute(SEED, 0u, index / taps, BATCH * OUT_HEIGHT * OUT_WIDTH, HALF_BITS);
  let tap = index % taps;
  let row = input_row(place / OUT_WIDTH % OUT_HEIGHT, tap / KERNEL_WIDTH);
  let column = input_column(place % OUT_WIDTH, tap % KERNEL_WIDTH);
  let inside = row < HEIGHT && column < WIDTH;
  let image = place / (OUT_WIDTH * OUT_HEIGHT);
  let pixel = ((image * HEIGHT + row) * WIDTH + column) * CHANNELS;
  for (var c = 0u; c < CHANNELS; c++) {
    var value = f32(PAD_VALUE);
    if (inside) {
      value = x[pixel + c];
    }
    patches[index * CHANNELS + c] = value;
  }
}
