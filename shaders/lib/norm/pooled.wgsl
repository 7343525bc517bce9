// Images of which max pooling by windows that don't overlap made the rows that are normalised. The gradient reads the
// images, so that the pooled rows need not be there any more.

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

// The pixels of a window that lie in the image: half-open ranges.
struct Window {
  n: u32,
  top: u32,
  bottom: u32,
  left: u32,
  right: u32,
}

fn window_of(n: u32, y: u32, x: u32) -> Window {
  return Window(
    n,
    max(y * POOL_HEIGHT, PAD_TOP) - PAD_TOP,
    min((y + 1u) * POOL_HEIGHT, IMAGE_HEIGHT + PAD_TOP) - PAD_TOP,
    max(x * POOL_WIDTH, PAD_LEFT) - PAD_LEFT,
    min((x + 1u) * POOL_WIDTH, IMAGE_WIDTH + PAD_LEFT) - PAD_LEFT,
  );
}

// Where a pixel's lane of channels lies.
fn pixel_at(n: u32, y: u32, x: u32, lane: u32) -> u32 {
  return ((n * IMAGE_HEIGHT + y) * IMAGE_WIDTH + x) * (CHANNELS / WIDTH) + lane;
}
