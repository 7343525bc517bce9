// The K nearest keys of every query among SPAN keys: one invocation compares a query with the keys of a chunk, so that no
// distance but those is ever in memory. Neighbours have the same chunk, and read the same keys.
//!include "lib/index.wgsl"
//!include "lib/nearest.wgsl"

override QUERIES: u32;
override KEYS: u32;
override WORDS: u32;
override K: u32;
override CHUNKS: u32;
override SPAN: u32; // keys of a chunk

@group(0) @binding(0) var<storage, read> queries: array<u32>; // bits [QUERIES, ...]
@group(0) @binding(1) var<storage, read> keys: array<u32>; // bits [KEYS, ...]
@group(0) @binding(2) var<storage, read_write> best: array<vec2u>; // u32 [QUERIES, CHUNKS, K, 2]: distance, key

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= QUERIES * CHUNKS) {
    return;
  }
  let query = (index % QUERIES) * WORDS;
  let chunk = index / QUERIES;
  for (var key = chunk * SPAN; key < min(KEYS, (chunk + 1u) * SPAN); key++) {
    var distance = 0u;
    for (var word = 0u; word < WORDS; word++) {
      distance += countOneBits(queries[query + word] ^ keys[key * WORDS + word]);
    }
    offer(distance, key);
  }
  let to = ((index % QUERIES) * CHUNKS + chunk) * K;
  for (var i = 0u; i < K; i++) {
    let is_found = i < nearest_count;
    best[to + i] = select(vec2u(0xffffffffu), vec2u(nearest_distances[i], nearest_places[i]), is_found);
  }
}
