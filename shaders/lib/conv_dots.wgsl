// From the signs that differ in a window to its dot products. A padded input counts taps outside the image as it reads
// them; where those are to count nothing (PAD_VALUE 0) the padding is +1, and what it added is taken off again. It needs:
//   sums: array<vec4i>, i32 [KERNEL_HEIGHT * KERNEL_WIDTH, OUT_CHANNELS], the sum of each tap's signs; read only where
//     PADDED is 1 and PAD_VALUE 0
//!include "lib/dots.wgsl"

fn dots_of(pixel: u32, quad: u32, second: u32, d: vec4u, e: vec4u) -> Dots {
  let all = vec4i(i32(KERNEL_HEIGHT * KERNEL_WIDTH * CHANNELS));
  var dots = Dots(all - 2 * vec4i(d), all - 2 * vec4i(e));
  if (PADDED == 0u || PAD_VALUE != 0) {
    return dots;
  }
  let window = window_of(pixel);
  let out_y = window.y;
  let out_x = window.x;
  let last_row = input_row(out_y, KERNEL_HEIGHT - 1u);
  let last_column = input_column(out_x, KERNEL_WIDTH - 1u);
  if (input_row(out_y, 0u) < HEIGHT && last_row < HEIGHT && input_column(out_x, 0u) < WIDTH && last_column < WIDTH) {
    return dots;
  }
  // Of a row of taps beside the image, those to its left and to its right; of one above or below, all.
  var before = 0u;
  var inside = 0u;
  for (var kx = 0u; kx < KERNEL_WIDTH; kx++) {
    let column = input_column(out_x, kx);
    inside += select(0u, 1u, column < WIDTH);
    before += select(0u, 1u, column >= 0x80000000u);
  }
  for (var ky = 0u; ky < KERNEL_HEIGHT; ky++) {
    let row_inside = input_row(out_y, ky) < HEIGHT;
    let count = KERNEL_WIDTH - select(0u, inside, row_inside);
    for (var i = 0u; i < count; i++) {
      let kx = i + select(0u, inside, row_inside && i >= before);
      let sum = (ky * KERNEL_WIDTH + kx) * (OUT_CHANNELS / 4u) + quad;
      dots.left -= sums[sum];
      dots.right -= sums[sum + second];
    }
  }
  return dots;
}
