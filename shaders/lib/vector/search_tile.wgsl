// The K nearest keys of every query among SPAN keys, a tile of four queries by four keys at a time: an invocation reads a key once
// for four queries, and keeps its lists where they are wanted, since they change rarely. Neighbours have the same chunk.
//!include "lib/index.wgsl"
//!needs best, CHUNKS, K, KEYS, QUERIES, SPAN, tile_distances
//!gives main

// Puts a key, which comes after all that are there, into the list that begins at `list`.
// Returns how far the last of the list is.
fn put(list: u32, distance: u32, key: u32) -> u32 {
  var at = list + K - 1u;
  while (at > list && best[at - 1u].x > distance) {
    best[at] = best[at - 1u];
    at--;
  }
  best[at] = vec2u(distance, key);
  return best[list + K - 1u].x;
}

// The same for those of four keys that are nearer than the last of the list.
fn put_four(list: u32, last: u32, distances: vec4u, first: u32) -> u32 {
  var most = last;
  if (any(distances < vec4u(most))) {
    for (var i = 0u; i < 4u; i++) {
      if (distances[i] < most) {
        most = put(list, distances[i], first + i);
      }
    }
  }
  return most;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let tiles = (QUERIES + 3u) / 4u;
  if (index >= tiles * CHUNKS) {
    return;
  }
  let first = index % tiles * 4u;
  let chunk = index / tiles;
  let count = min(4u, QUERIES - first);
  for (var query = first; query < first + count; query++) {
    for (var i = 0u; i < K; i++) {
      best[(query * CHUNKS + chunk) * K + i] = vec2u(0xffffffffu);
    }
  }
  let queries = min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(QUERIES - 1u));
  let lists = (queries * CHUNKS + chunk) * K;
  var most = vec4u(0xffffffffu);
  let end = min(KEYS, (chunk + 1u) * SPAN);
  for (var key = chunk * SPAN; key < end; key += 4u) {
    let keys = vec4u(key) + vec4u(0u, 1u, 2u, 3u);
    // What is no key of the chunk is as far as what is not found.
    let outside = select(vec4u(0u), vec4u(0xffffffffu), keys >= vec4u(end));
    let distances = tile_distances(queries, min(keys, vec4u(end - 1u)));
    most.x = put_four(lists.x, most.x, distances[0] | outside, key);
    if (count > 1u) {
      most.y = put_four(lists.y, most.y, distances[1] | outside, key);
    }
    if (count > 2u) {
      most.z = put_four(lists.z, most.z, distances[2] | outside, key);
    }
    if (count > 3u) {
      most.w = put_four(lists.w, most.w, distances[3] | outside, key);
    }
  }
}
