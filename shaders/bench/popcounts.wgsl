// How fast population counts go when nothing else is in the way: 8 independent chains of vec4u an invocation, in
// registers. One round is 128 counts of 32 bits: four on end, since software adapters take long to assign variables in
// a loop.
//!include "lib/index.wgsl"

override COUNT: u32; // invocations
override ROUNDS: u32;

@group(0) @binding(0) var<storage, read> seed: array<vec4u, 8>; // where the chains start, less the invocation's index
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>; // [COUNT], the sum of the chains' ends

fn four_counts(x: vec4u) -> vec4u {
  return countOneBits(countOneBits(countOneBits(countOneBits(x))));
}

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
    a = four_counts(a);
    b = four_counts(b);
    c = four_counts(c);
    d = four_counts(d);
    e = four_counts(e);
    f = four_counts(f);
    g = four_counts(g);
    h = four_counts(h);
  }
  out[index] = a + b + c + d + e + f + g + h;
}
