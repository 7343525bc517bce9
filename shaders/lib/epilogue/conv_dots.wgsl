// From the signs that differ in a window to its dot products. A padded input counts taps outside the image as it reads
// them; where those are to count nothing (PAD_VALUE 0) the padding is +1, and what it added is taken off again. It needs:
//   edges: array<vec4i>, i32 [EDGE_ROWS, EDGE_COLUMNS, OUT_CHANNELS] of `conv/edge_sums`, what the padding added; read only
//     where PADDED is 1 and PAD_VALUE 0
//!needs CHANNELS, edges, KERNEL_HEIGHT, KERNEL_WIDTH, OUT_CHANNELS, PAD_VALUE, PADDED, window_of
//!gives dots_of
//!include "lib/epilogue/dots.wgsl"
//!include "lib/conv/edges.wgsl"

fn dots_of(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) -> Dots {
  let all = vec4i(i32(KERNEL_HEIGHT * KERNEL_WIDTH * CHANNELS));
  var dots = Dots(all - 2 * vec4i(d), all - 2 * vec4i(e));
  if (PADDED == 0u || PAD_VALUE != 0) {
    return dots;
  }
  let window = window_of(pixel);
  let inside = ABOVE * EDGE_COLUMNS + BESIDE;
  // A loop of one turn at most: software adapters leave out loops that nobody enters, and not the bodies of ifs.
  for (var edge = edge_row(window.y) * EDGE_COLUMNS + edge_column(window.x); edge != inside; edge = inside) {
    let at = edge * (OUT_CHANNELS / 4u) + quad;
    dots.left -= edges[at];
    dots.right -= edges[at + second];
  }
  return dots;
}
