// Stores gradients of an input that a quantizer may have stopped.
//!needs gate, K, M, out, WORDS
//!gives store
override GATED: u32; // 1: gate decides what passes; 0: everything passes, gate is not read

fn store(row: u32, column: u32, sums: vec4f) {
  if (row >= M || column >= K) {
    return;
  }
  var passed = sums;
  if (GATED == 1u) {
    let open = vec4u(gate[row * WORDS + (column >> 5u)] >> (column & 31u)) & vec4u(1u, 2u, 4u, 8u);
    passed = select(vec4f(), sums, open != vec4u());
  }
  out[(row * K + column) / 4u] = passed;
}
