// The nearest keys, four words at a time: WORDS is a multiple of 4.
//!include "lib/vector/search.wgsl"

override QUERIES: u32;
override KEYS: u32;
override WORDS: u32;
override K: u32;
override CHUNKS: u32;
override SPAN: u32; // keys of a chunk

@group(0) @binding(0) var<storage, read> queries: array<vec4u>; // bits [QUERIES, ...]
@group(0) @binding(1) var<storage, read> keys: array<vec4u>; // bits [KEYS, ...]
@group(0) @binding(2) var<storage, read_write> best: array<vec2u>; // u32 [QUERIES, CHUNKS, K, 2]: distance, key

fn distance_of(query: u32, key: u32) -> u32 {
  var counts = vec4u(0u);
  let quads = WORDS / 4u;
  for (var quad = 0u; quad < quads; quad++) {
    counts += countOneBits(queries[query * quads + quad] ^ keys[key * quads + quad]);
  }
  return counts.x + counts.y + counts.z + counts.w;
}
