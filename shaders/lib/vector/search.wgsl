// The K nearest keys of every query among SPAN keys: one invocation compares a query with the keys of a chunk, so that no
// distance but those is ever in memory. Neighbours have the same chunk, and read the same keys.
//!include "lib/index.wgsl"
//!include "lib/vector/nearest.wgsl"
//!needs best, CHUNKS, distance_of, K, KEYS, QUERIES, SPAN
//!gives main

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= QUERIES * CHUNKS) {
    return;
  }
  let query = index % QUERIES;
  let chunk = index / QUERIES;
  for (var key = chunk * SPAN; key < min(KEYS, (chunk + 1u) * SPAN); key++) {
    offer(distance_of(query, key), key);
  }
  let to = (query * CHUNKS + chunk) * K;
  for (var i = 0u; i < K; i++) {
    let is_found = i < nearest_count;
    best[to + i] = select(vec2u(0xffffffffu), vec2u(nearest_distances[i], nearest_places[i]), is_found);
  }
}
