// The 512 patterns of signs of 3 x 3 kernels, first stage: each workgroup counts SPAN kernels. Bit 3 y + x of a pattern
// is 1 where the weight at row y, column x is negative.
//!include "lib/signs.wgsl"

override KERNELS: u32; // filters times channels
override CHANNELS: u32;
override CHANNELS_LAST: u32; // 1 for filters [O, 3, 3, I], 0 for [O, I, 3, 3]
override SPAN: u32;

@group(0) @binding(0) var<storage, read> latent: array<u32>; // f32, as raw bits
@group(0) @binding(1) var<storage, read_write> parts: array<u32>; // [ceil(KERNELS / SPAN), 512]

var<workgroup> bins: array<atomic<u32>, 512>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = group.x * SPAN;
  for (var i = first + local; i < min(first + SPAN, KERNELS); i += 64u) {
    var start = i * 9u;
    var step = 1u;
    if (CHANNELS_LAST == 1u) {
      start = i / CHANNELS * 9u * CHANNELS + i % CHANNELS;
      step = CHANNELS;
    }
    var pattern = 0u;
    for (var tap = 0u; tap < 9u; tap++) {
      pattern |= select(0u, 1u, is_negative(latent[start + tap * step])) << tap;
    }
    atomicAdd(&bins[pattern], 1u);
  }
  workgroupBarrier();
  for (var bin = local; bin < 512u; bin += 64u) {
    parts[group.x * 512u + bin] = atomicLoad(&bins[bin]);
  }
}
