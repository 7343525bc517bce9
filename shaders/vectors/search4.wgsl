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

fn ones(differing: vec4u) -> u32 {
  let counts = countOneBits(differing);
  return counts.x + counts.y + counts.z + counts.w;
}

// Of a query from four keys.
fn distances_of(query: u32, places: vec4u) -> vec4u {
  var distances = vec4u(0u);
  let quads = WORDS / 4u;
  let at = places * quads;
  for (var quad = 0u; quad < quads; quad++) {
    let words = queries[query * quads + quad];
    distances += vec4u(
      ones(words ^ keys[at.x + quad]),
      ones(words ^ keys[at.y + quad]),
      ones(words ^ keys[at.z + quad]),
      ones(words ^ keys[at.w + quad]),
    );
  }
  return distances;
}
