// The K nearest keys of every query among SPAN keys: one invocation compares a query with the keys of a chunk, four at a time, so
// that a word of the query is read once for four. No distance but the nearest is ever in memory. Neighbours have the same chunk.
//!include "lib/index.wgsl"
//!include "lib/vector/nearest.wgsl"
//!needs best, CHUNKS, distances_of, K, KEYS, QUERIES, SPAN
//!gives main

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= QUERIES * CHUNKS) {
    return;
  }
  let query = index % QUERIES;
  let chunk = index / QUERIES;
  let end = min(KEYS, (chunk + 1u) * SPAN);
  for (var key = chunk * SPAN; key < end; key += 4u) {
    let places = vec4u(key) + vec4u(0u, 1u, 2u, 3u);
    let distances = distances_of(query, min(places, vec4u(end - 1u)));
    for (var i = 0u; i < min(4u, end - key); i++) {
      offer(distances[i], key + i);
    }
  }
  let to = (query * CHUNKS + chunk) * K;
  for (var i = 0u; i < K; i++) {
    let is_found = i < nearest_count;
    best[to + i] = select(vec2u(0xffffffffu), vec2u(nearest_distances[i], nearest_places[i]), is_found);
  }
}
