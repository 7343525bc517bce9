// Binary convolution of each channel with a filter of its own, with its threshold, to packed signs. One invocation makes 32
// channels of a pixel, and compares them all at once.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/count/carry.wgsl"
//!include "lib/conv/depthwise.wgsl"

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [BATCH, HEIGHT, WIDTH, CHANNELS]
@group(0) @binding(1) var<storage, read> w: array<u32>; // words [KERNEL_HEIGHT * KERNEL_WIDTH, WORDS]
@group(0) @binding(2) var<storage, read> limits: array<u32>; // words [8, WORDS] of `conv/depthwise_limits`
@group(0) @binding(3) var<storage, read_write> bits: array<u32>; // bits [BATCH, OUT_HEIGHT, OUT_WIDTH, CHANNELS]

// One step of a comparison from the lowest bits up: where bits differ, they decide; elsewhere those below did.
fn at_least(below: u32, bit: u32, limit: u32) -> u32 {
  return (bit & ~limit) | (~(bit ^ limit) & below);
}

// A bit of a number that all 32 positions share.
fn shared_bit(number: u32, bit: u32) -> u32 {
  return select(0u, 0xffffffffu, extractBits(number, bit, 1u) == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= BATCH * OUT_HEIGHT * OUT_WIDTH * WORDS) {
    return;
  }
  let place = place_of(index);
  let counts = count_differing(place);
  // TAPS - dot: twice the signs that differ, and once the taps that count nothing; the limits hold for all pixels so.
  var s0 = 0u;
  var s1 = counts.p0;
  var s2 = counts.p1;
  var s3 = counts.p2;
  var s4 = counts.p3;
  var s5 = counts.p4;
  var s6 = counts.p5;
  let missing = TAPS - taps_counted(place);
  if (missing > 0u) {
    s0 = shared_bit(missing, 0u);
    let a1 = add_bits(s1, shared_bit(missing, 1u), 0u);
    let a2 = add_bits(s2, shared_bit(missing, 2u), a1.carry);
    let a3 = add_bits(s3, shared_bit(missing, 3u), a2.carry);
    let a4 = add_bits(s4, shared_bit(missing, 4u), a3.carry);
    let a5 = add_bits(s5, shared_bit(missing, 5u), a4.carry);
    s1 = a1.sum;
    s2 = a2.sum;
    s3 = a3.sum;
    s4 = a4.sum;
    s5 = a5.sum;
    s6 ^= a5.carry;
  }
  var reached = 0xffffffffu;
  reached = at_least(reached, s0, limits[place.word]);
  reached = at_least(reached, s1, limits[WORDS + place.word]);
  reached = at_least(reached, s2, limits[2u * WORDS + place.word]);
  reached = at_least(reached, s3, limits[3u * WORDS + place.word]);
  reached = at_least(reached, s4, limits[4u * WORDS + place.word]);
  reached = at_least(reached, s5, limits[5u * WORDS + place.word]);
  reached = at_least(reached, s6, limits[6u * WORDS + place.word]);
  let here = min(32u, CHANNELS - 32u * place.word);
  bits[index] = (reached ^ limits[7u * WORDS + place.word]) & (0xffffffffu >> (32u - here));
}
