// The nearest keys, word by word: vectors of any length.
//!include "lib/vector/search.wgsl"

override QUERIES: u32;
override KEYS: u32;
override WORDS: u32;
override K: u32;
override CHUNKS: u32;
override SPAN: u32; // keys of a chunk

@group(0) @binding(0) var<storage, read> queries: array<u32>; // bits [QUERIES, ...]
@group(0) @binding(1) var<storage, read> keys: array<u32>; // bits [KEYS, ...]
@group(0) @binding(2) var<storage, read_write> best: array<vec2u>; // u32 [QUERIES, CHUNKS, K, 2]: distance, key

// Of a query from four keys.
fn distances_of(query: u32, places: vec4u) -> vec4u {
  var distances = vec4u(0u);
  let at = places * WORDS;
  for (var word = 0u; word < WORDS; word++) {
    let four = vec4u(keys[at.x + word], keys[at.y + word], keys[at.z + word], keys[at.w + word]);
    distances += countOneBits(vec4u(queries[query * WORDS + word]) ^ four);
  }
  return distances;
}
