// Half-open range of pixels, or of windows, along one axis.
//!gives Range, window_pixels
struct Range {
  first: u32,
  end: u32,
}

// The pixels of a window that lie in the image. Padding is smaller than a window, so there is at least one.
fn window_pixels(window: u32, stride: u32, size: u32, pad: u32, extent: u32) -> Range {
  let start = window * stride;
  return Range(max(start, pad) - pad, min(start + size, extent + pad) - pad);
}
