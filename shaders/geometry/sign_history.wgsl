// How the signs of each filter changed since the run before and since the start, and how long each weight has kept its
// sign; one invocation a filter. The signs and ages of the run before are brought up to date.
//!include "lib/index.wgsl"

override FILTERS: u32;
override ROWS: u32; // of a filter: every row starts a new word
override LENGTH: u32; // weights of a row

@group(0) @binding(0) var<storage, read> now: array<u32>; // bits [FILTERS, ROWS, LENGTH]
@group(0) @binding(1) var<storage, read> start: array<u32>; // bits [FILTERS, ROWS, LENGTH]
@group(0) @binding(2) var<storage, read_write> before: array<u32>; // bits [FILTERS, ROWS, LENGTH]
@group(0) @binding(3) var<storage, read_write> ages: array<u32>; // u32 [FILTERS, ROWS, LENGTH], in runs
// u32 [FILTERS, 4]: flips since the run before, flips since the start, sum of ages (low word, high word)
@group(0) @binding(4) var<storage, read_write> history: array<vec4u>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= FILTERS) {
    return;
  }
  let words = (LENGTH + 31u) / 32u;
  var flips = 0u;
  var flips_since_start = 0u;
  var age_low = 0u;
  var age_high = 0u;
  for (var row = index * ROWS; row < (index + 1u) * ROWS; row++) {
    for (var word = 0u; word < words; word++) {
      let at = row * words + word;
      let signs = now[at];
      let changed = signs ^ before[at];
      before[at] = signs;
      flips += countOneBits(changed);
      flips_since_start += countOneBits(signs ^ start[at]);
      let first = word * 32u;
      for (var bit = 0u; bit < min(32u, LENGTH - first); bit++) {
        let weight = row * LENGTH + first + bit;
        let age = select(ages[weight] + 1u, 0u, ((changed >> bit) & 1u) == 1u);
        ages[weight] = age;
        age_low += age;
        age_high += select(0u, 1u, age_low < age); // carried
      }
    }
  }
  history[index] = vec4u(flips, flips_since_start, age_low, age_high);
}
