// Sums of the squares of a gradient, in parts: what its length, and that of all gradients together, follows from. A workgroup
// takes every PARTS-th stretch of 64 elements, in their order.
override SIZE: u32;
override PARTS: u32;
override OFFSET: u32; // where the parts of this gradient begin

@group(0) @binding(0) var<storage, read> grad: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read_write> sums: array<f32>; // of all gradients

var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
  var sum = 0.0;
  for (var i = group.x * 64u + local; i < SIZE; i += PARTS * 64u) {
    sum += grad[i] * grad[i];
  }
  squares[local] = sum;
  workgroupBarrier();
  if (local == 0u) {
    var total = 0.0;
    for (var i = 0u; i < 64u; i++) {
      total += squares[i];
    }
    sums[OFFSET + group.x] = total;
  }
}
