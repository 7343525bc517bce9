// Counter-based random numbers, bit for bit those of src/numerics/random.ts (sources are named there).
//!gives FEISTEL_ROUNDS, pcg4d, pcg_stir, permute, STREAM_AUGMENT, STREAM_SHUFFLE, to_uniform, uniform01
const STREAM_AUGMENT = 0x6175676du;
const STREAM_SHUFFLE = 0x73687566u;
const FEISTEL_ROUNDS = 6u;

fn pcg_stir(v: vec4u) -> vec4u {
  let x = v.x + v.y * v.w;
  let y = v.y + v.z * x;
  let z = v.z + x * y;
  let w = v.w + y * z;
  return vec4u(x, y, z, w);
}

// Four counters to four words.
fn pcg4d(counters: vec4u) -> vec4u {
  let v = pcg_stir(counters * 1664525u + 1013904223u);
  return pcg_stir(v ^ (v >> vec4u(16u)));
}

// A multiple of 2^-24 in [0, 1), exact in f32.
fn to_uniform(word: u32) -> f32 {
  return f32(word >> 8u) * 0x1p-24;
}

fn uniform01(seed: u32, stream: u32, index: u32) -> f32 {
  return to_uniform(pcg4d(vec4u(seed, stream, index, 0u)).x);
}

// Keyed bijection of [0, count); `half_bits` is feistelHalfBits(count) of the reference.
fn permute(seed: u32, epoch: u32, index: u32, count: u32, half_bits: u32) -> u32 {
  let mask = (1u << half_bits) - 1u;
  var value = index;
  loop {
    var left = value >> half_bits;
    var right = value & mask;
    for (var round = 0u; round < FEISTEL_ROUNDS; round++) {
      let word = pcg4d(vec4u(seed, epoch, right, STREAM_SHUFFLE + round)).x;
      let next = (left ^ word) & mask;
      left = right;
      right = next;
    }
    value = (left << half_bits) | right;
    if (value < count) {
      break;
    }
  }
  return value;
}
