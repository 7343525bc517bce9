// Arithmetic of two tensors, either of which may be repeated along axes (stride 0). One invocation makes one value.
//!include "lib/index.wgsl"
//!include "lib/axes.wgsl"

override KIND: u32; // 0 a + b, 1 a - b, 2 a * b, 3 a / b, 4 the lesser, 5 the greater
override A_STRIDE_0: u32; // elements of a from one place on an axis to the next; 0: repeated
override A_STRIDE_1: u32;
override A_STRIDE_2: u32;
override A_STRIDE_3: u32;
override A_STRIDE_4: u32;
override B_STRIDE_0: u32;
override B_STRIDE_1: u32;
override B_STRIDE_2: u32;
override B_STRIDE_3: u32;
override B_STRIDE_4: u32;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [SIZE / ..., EXTENT_1, ..., EXTENT_4]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let place = place_of(index);
  let left = a[place.outer * A_STRIDE_0 + dot(place.inner, vec4u(A_STRIDE_1, A_STRIDE_2, A_STRIDE_3, A_STRIDE_4))];
  let right = b[place.outer * B_STRIDE_0 + dot(place.inner, vec4u(B_STRIDE_1, B_STRIDE_2, B_STRIDE_3, B_STRIDE_4))];
  switch KIND {
    case 0u: { out[index] = left + right; }
    case 1u: { out[index] = left - right; }
    case 2u: { out[index] = left * right; }
    case 3u: { out[index] = left / right; }
    case 4u: { out[index] = min(left, right); }
    default: { out[index] = max(left, right); }
  }
}
