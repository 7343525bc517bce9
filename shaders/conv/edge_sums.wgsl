// What the taps outside the image add to the outputs of each class of edge pixels, where the padding reads +1.
//!include "lib/index.wgsl"
//!include "lib/conv/extents.wgsl"
//!include "lib/words/conv.wgsl"
//!include "lib/conv/edges.wgsl"

@group(0) @binding(0) var<storage, read> sums: array<vec4i>; // [KERNEL_HEIGHT * KERNEL_WIDTH, OUT_CHANNELS], of each tap's signs
@group(0) @binding(1) var<storage, read_write> out: array<vec4i>; // [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let quads = OUT_CHANNELS / 4u;
  if (index >= EDGE_ROWS * EDGE_COLUMNS * quads) {
    return;
  }
  let quad = index % quads;
  let row = index / quads / EDGE_COLUMNS;
  let column = index / quads % EDGE_COLUMNS;
  // A pixel of this class, if it has any: in small images rows near the top are near the bottom too, and go by the top.
  let out_y = select(row, row + OUT_HEIGHT - EDGE_ROWS, row > ABOVE);
  let out_x = select(column, column + OUT_WIDTH - EDGE_COLUMNS, column > BESIDE);
  var outside = vec4i();
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
      if (input_row(out_y, ky) >= HEIGHT || input_column(out_x, kx) >= WIDTH) {
        outside += sums[(ky * KERNEL_WIDTH + kx) * quads + quad];
      }
    }
  }
  out[index] = outside;
}
