// Pairs of rows of signs by their Hamming distance. Each invocation has a row, each workgroup 64 of them, which it compares
// with SPAN later ones; all invocations read the same later row at a time. Integer atomics: the order doesn't matter.
override ROWS: u32;
override WORDS: u32; // of a row
override COUNT: u32; // rows that a run takes, from first[0] on
override SPAN: u32;

@group(0) @binding(0) var<storage, read> signs: array<u32>; // bits [ROWS, ...]
@group(0) @binding(1) var<storage, read> first: array<u32>; // [1]
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>; // [signs of a row + 1], added to

// Larger distances are counted in memory at once.
const NEAR = 4096u;

var<workgroup> bins: array<atomic<u32>, NEAR>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  let start = first[0] + group.x * 64u;
  let row = start + local;
  let is_mine = row < min(first[0] + COUNT, ROWS);
  let stop = min((group.y + 1u) * SPAN, ROWS);
  for (var other = max(group.y * SPAN, start + 1u); other < stop; other++) {
    if (is_mine && other > row) {
      var distance = 0u;
      for (var word = 0u; word < WORDS; word++) {
        distance += countOneBits(signs[row * WORDS + word] ^ signs[other * WORDS + word]);
      }
      if (distance < NEAR) {
        atomicAdd(&bins[distance], 1u);
      } else {
        atomicAdd(&counts[distance], 1u);
      }
    }
  }
  workgroupBarrier();
  for (var bin = local; bin < NEAR; bin += 64u) {
    let count = atomicLoad(&bins[bin]);
    if (count > 0u) {
      atomicAdd(&counts[bin], count);
    }
  }
}
