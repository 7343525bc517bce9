// Which of a quad of channels are -1, from the lowest bit on. It needs `lib/epilogue/signs.wgsl` with lanes of four.
//!needs directed, threshold
//!gives minus_bits
fn minus_bits(dot: vec4i, quad: u32) -> u32 {
  let minus = select(vec4u(1u, 2u, 4u, 8u), vec4u(), directed(vec4f(dot), quad) >= threshold[quad]);
  return minus.x | minus.y | minus.z | minus.w;
}
