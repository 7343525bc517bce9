// Adds pairs (x, y) to a two-dimensional histogram. Integer atomics: the order doesn't matter. Pairs outside of the grid
// are left out.
//!include "lib/index.wgsl"

override SIZE: u32;
override BINS: u32; // along each axis

@group(0) @binding(0) var<storage, read> x: array<f32>; // [SIZE]
@group(0) @binding(1) var<storage, read> y: array<f32>; // [SIZE]
@group(0) @binding(2) var<storage, read> grid: array<f32>; // x0, y0, cells per unit of x, of y
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>; // [BINS, BINS], y before x

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  if (index >= SIZE) {
    return;
  }
  let most = vec2f(f32(BINS));
  let cell = floor((vec2f(x[index], y[index]) - vec2f(grid[0], grid[1])) * vec2f(grid[2], grid[3]));
  if (all(cell >= vec2f(0.0)) && all(cell < most)) {
    atomicAdd(&counts[u32(cell.y) * BINS + u32(cell.x)], 1u);
  }
}
