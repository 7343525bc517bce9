// Picks what belongs to the chosen samples beside their images: LENGTH reals each, or LENGTH bytes, of which bits are made.
//!include "lib/index.wgsl"

override BATCH: u32;
override LENGTH: u32;
override BYTES: u32; // 1: `values` are u8, four to a word; 0: f32, as bits

@group(0) @binding(0) var<storage, read> values: array<u32>; // [places, LENGTH]
@group(0) @binding(1) var<storage, read> rows: array<vec4u>; // [BATCH]: place, ignored
// f32 [BATCH, LENGTH], as bits, NONE in a row without sample; or bits [BATCH, LENGTH + 1], the last of which is 1 in such a row.
@group(0) @binding(2) var<storage, read_write> picked: array<u32>;

const NONE = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let words = select(LENGTH, (LENGTH + 32u) / 32u, BYTES == 1u);
  if (index >= BATCH * words) {
    return;
  }
  let place = rows[index / words].x;
  let word = index % words;
  if (BYTES == 0u) {
    picked[index] = NONE;
    if (place != NONE) {
      picked[index] = values[place * LENGTH + word];
    }
    return;
  }
  var signs = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let c = 32u * word + bit;
    if (c < LENGTH && place != NONE) {
      let at = place * LENGTH + c;
      signs |= select(0u, 1u, ((values[at >> 2u] >> (8u * (at & 3u))) & 0xffu) != 0u) << bit;
    } else if (c == LENGTH && place == NONE) {
      signs |= 1u << bit;
    }
  }
  picked[index] = signs;
}
