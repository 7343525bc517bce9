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

fn distance_of(query: u32, key: u32) -> u32 {
  var distance = 0u;
  for (var word = 0u; word < WORDS; word++) {
    distance += countOneBits(queries[query * WORDS + word] ^ keys[key * WORDS + word]);
  }
  return distance;
}
