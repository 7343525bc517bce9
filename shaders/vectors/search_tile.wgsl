// The nearest keys, four queries by four keys by four words at a time: WORDS is a multiple of 4.
//!include "lib/vector/search_tile.wgsl"

override QUERIES: u32;
override KEYS: u32;
override WORDS: u32;
override K: u32;
override CHUNKS: u32;
override SPAN: u32; // keys of a chunk

@group(0) @binding(0) var<storage, read> queries: array<vec4u>; // bits [QUERIES, ...]
@group(0) @binding(1) var<storage, read> keys: array<vec4u>; // bits [KEYS, ...]
@group(0) @binding(2) var<storage, read_write> best: array<vec2u>; // u32 [QUERIES, CHUNKS, K, 2]: distance, key

fn ones(differing: vec4u) -> u32 {
  let counts = countOneBits(differing);
  return counts.x + counts.y + counts.z + counts.w;
}

fn ones_of_four(query: vec4u, a: vec4u, b: vec4u, c: vec4u, d: vec4u) -> vec4u {
  return vec4u(ones(query ^ a), ones(query ^ b), ones(query ^ c), ones(query ^ d));
}

// Row i has the distances of the i-th query from each of four keys.
fn tile_distances(rows: vec4u, columns: vec4u) -> array<vec4u, 4> {
  let quads = WORDS / 4u;
  let query_at = rows * quads;
  let key_at = columns * quads;
  var from_0 = vec4u(0u);
  var from_1 = vec4u(0u);
  var from_2 = vec4u(0u);
  var from_3 = vec4u(0u);
  for (var quad = 0u; quad < quads; quad++) {
    let a = keys[key_at.x + quad];
    let b = keys[key_at.y + quad];
    let c = keys[key_at.z + quad];
    let d = keys[key_at.w + quad];
    from_0 += ones_of_four(queries[query_at.x + quad], a, b, c, d);
    from_1 += ones_of_four(queries[query_at.y + quad], a, b, c, d);
    from_2 += ones_of_four(queries[query_at.z + quad], a, b, c, d);
    from_3 += ones_of_four(queries[query_at.w + quad], a, b, c, d);
  }
  return array<vec4u, 4>(from_0, from_1, from_2, from_3);
}
