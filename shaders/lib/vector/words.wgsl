// Vectors of signs: BITS of them in WORDS words; what is behind the last one is 0.
//!needs BITS
//!gives vector_mask, vector_words

fn vector_words() -> u32 {
  return (BITS + 31u) / 32u;
}

// The bits of a word that count.
fn vector_mask(word: u32) -> u32 {
  let left = BITS - word * 32u;
  return select(0xffffffffu, (1u << (left & 31u)) - 1u, left < 32u);
}
