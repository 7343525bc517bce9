// How fast f32 multiply-adds go when nothing else is in the way: 8 independent chains of vec4f an invocation, in
// registers. One round is 128 multiply-adds: four on end, since software adapters take long to assign variables in a
// loop.
//!include "lib/index.wgsl"

override COUNT: u32; // invocations
override ROUNDS: u32;

// The factor is a power of two, so that the result is the same whether the adapter fuses the two roundings or not.
@group(0) @binding(0) var<storage, read> seed: array<vec4f, 10>; // 8 starts, the factor, the addend
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>; // [COUNT, 8], the chains' ends

fn four_steps(x: vec4f, factor: vec4f, addend: vec4f) -> vec4f {
  return (((x * factor + addend) * factor + addend) * factor + addend) * factor + addend;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= COUNT) {
    return;
  }
  let factor = seed[8];
  let addend = seed[9];
  var a = seed[0] + f32(index);
  var b = seed[1] + f32(index);
  var c = seed[2] + f32(index);
  var d = seed[3] + f32(index);
  var e = seed[4] + f32(index);
  var f = seed[5] + f32(index);
  var g = seed[6] + f32(index);
  var h = seed[7] + f32(index);
  for (var i = 0u; i < ROUNDS; i++) {
    a = four_steps(a, factor, addend);
    b = four_steps(b, factor, addend);
    c = four_steps(c, factor, addend);
    d = four_steps(d, factor, addend);
    e = four_steps(e, factor, addend);
    f = four_steps(f, factor, addend);
    g = four_steps(g, factor, addend);
    h = four_steps(h, factor, addend);
  }
  let first = index * 8u;
  out[first] = a;
  out[first + 1u] = b;
  out[first + 2u] = c;
  out[first + 3u] = d;
  out[first + 4u] = e;
  out[first + 5u] = f;
  out[first + 6u] = g;
  out[first + 7u] = h;
}
