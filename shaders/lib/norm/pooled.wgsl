// Images of which max pooling by windows that don't overlap made the rows that are normalised. The gradient reads the
// images, so that the pooled rows need not be there any more. It needs, of the kernel that includes it:
//   x: f32 [BATCH, IMAGE_HEIGHT, IMAGE_WIDTH, CHANNELS], as lanes
//!needs Lane, WIDTH
//!gives BATCH, CHANNELS, IMAGE_HEIGHT, IMAGE_WIDTH, largest_of, OUT_HEIGHT, OUT_WIDTH, PAD_LEFT, PAD_TOP, pixel_at
//!gives POOL_HEIGHT, POOL_WIDTH, window_of
//!include "lib/window/windows.wgsl"

override BATCH: u32;
override IMAGE_HEIGHT: u32;
override IMAGE_WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32; // windows along each axis
override OUT_WIDTH: u32;
override POOL_HEIGHT: u32; // pixels of a window, and from one to the next
override POOL_WIDTH: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;

// The pixels of a window that lie in the image.
struct Window {
  n: u32,
  rows: Range,
  columns: Range,
}

fn window_of(n: u32, y: u32, x: u32) -> Window {
  return Window(
    n,
    window_pixels(y, POOL_HEIGHT, POOL_HEIGHT, PAD_TOP, IMAGE_HEIGHT),
    window_pixels(x, POOL_WIDTH, POOL_WIDTH, PAD_LEFT, IMAGE_WIDTH),
  );
}

// Where a pixel's lane of channels lies.
fn pixel_at(n: u32, y: u32, x: u32, lane: u32) -> u32 {
  return ((n * IMAGE_HEIGHT + y) * IMAGE_WIDTH + x) * (CHANNELS / WIDTH) + lane;
}

// The largest value of a window: what pooling made of it.
fn largest_of(window: Window, lane: u32) -> Lane {
  var largest = x[pixel_at(window.n, window.rows.first, window.columns.first, lane)];
  for (var row = window.rows.first; row < window.rows.end; row++) {
    for (var column = window.columns.first; column < window.columns.end; column++) {
      largest = max(largest, x[pixel_at(window.n, row, column, lane)]);
    }
  }
  return largest;
}
