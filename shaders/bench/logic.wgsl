// How fast 32-bit logic goes when nothing else is in the way: a ring of 8 vec4u an invocation, in registers, in which
// each takes in its neighbour. One round is 128 exclusive-ors of 32 bits: four times round the ring, since software
// adapters take long to assign variables in a loop. Every value is used twice, so that none can be left out.
//!include "lib/index.wgsl"

override COUNT: u32; // invocations
override ROUNDS: u32;

@group(0) @binding(0) var<storage, read> seed: array<vec4u, 8>; // the ring at the start, less the invocation's index
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>; // [COUNT], the sum of the ring at the end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= COUNT) {
    return;
  }
  var a = seed[0] + index;
  var b = seed[1] + index;
  var c = seed[2] + index;
  var d = seed[3] + index;
  var e = seed[4] + index;
  var f = seed[5] + index;
  var g = seed[6] + index;
  var h = seed[7] + index;
  for (var i = 0u; i < ROUNDS; i++) {
    let a1 = a ^ b;
    let b1 = b ^ c;
    let c1 = c ^ d;
    let d1 = d ^ e;
    let e1 = e ^ f;
    let f1 = f ^ g;
    let g1 = g ^ h;
    let h1 = h ^ a1;
    let a2 = a1 ^ b1;
    let b2 = b1 ^ c1;
    let c2 = c1 ^ d1;
    let d2 = d1 ^ e1;
    let e2 = e1 ^ f1;
    let f2 = f1 ^ g1;
    let g2 = g1 ^ h1;
    let h2 = h1 ^ a2;
    let a3 = a2 ^ b2;
    let b3 = b2 ^ c2;
    let c3 = c2 ^ d2;
    let d3 = d2 ^ e2;
    let e3 = e2 ^ f2;
    let f3 = f2 ^ g2;
    let g3 = g2 ^ h2;
    let h3 = h2 ^ a3;
    let a4 = a3 ^ b3;
    let b4 = b3 ^ c3;
    let c4 = c3 ^ d3;
    let d4 = d3 ^ e3;
    let e4 = e3 ^ f3;
    let f4 = f3 ^ g3;
    let g4 = g3 ^ h3;
    let h4 = h3 ^ a4;
    a = a4;
    b = b4;
    c = c4;
    d = d4;
    e = e4;
    f = f4;
    g = g4;
    h = h4;
  }
  out[index] = a + b + c + d + e + f + g + h;
}
