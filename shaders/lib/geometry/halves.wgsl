// Weights of 16 bits, two to a word, the first in the low half; filters may start in the middle of a word.
//!needs FILTERS, LENGTH, widen
//!gives weights_at, whole_at
@group(0) @binding(0) var<storage, read> latent: array<u32>; // [ceil(FILTERS * LENGTH / 2)]

fn weights_at(row: u32, quad: u32) -> vec4u {
  let first = row * LENGTH + quad * 4u;
  let last = (FILTERS * LENGTH - 1u) / 2u;
  let word = first / 2u;
  var a = latent[word];
  var b = latent[min(word + 1u, last)];
  if (first % 2u == 1u) {
    let c = latent[min(word + 2u, last)];
    a = (a >> 16u) | (b << 16u);
    b = (b >> 16u) | (c << 16u);
  }
  return widen(vec4u(a & 0xffffu, a >> 16u, b & 0xffffu, b >> 16u));
}

fn whole_at(row: u32, quad: u32) -> vec4u {
  return weights_at(row, quad);
}
