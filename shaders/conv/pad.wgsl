// Puts the padding around packed activations, as far as windows reach: +1, or -1 where PAD_VALUE is negative.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/conv.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read_write> out: array<u32>; // bits [BATCH, PADDED_HEIGHT, PITCH, CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * PADDED_HEIGHT * PITCH * WORDS) {
    return;
  }
  // Three divisions: software adapters do them one by one.
  let pixel = index / WORDS;
  let word = index - pixel * WORDS;
  let line = pixel / PITCH;
  let x = pixel - line * PITCH - PAD_LEFT;
  let n = line / PADDED_HEIGHT;
  let y = line - n * PADDED_HEIGHT - PAD_TOP;
  if (y < HEIGHT && x < WIDTH) {
    out[index] = a[((n * HEIGHT + y) * WIDTH + x) * WORDS + word];
  } else {
    let tail = 0xffffffffu >> (WORDS * 32u - CHANNELS);
    let minus = select(0xffffffffu, tail, word + 1u == WORDS);
    out[index] = select(0u, minus, PAD_VALUE < 0);
  }
}
