// The geometry of pooling: NHWC images, windows of POOL_HEIGHT x POOL_WIDTH pixels that may overlap and reach into padding.
//!gives BATCH, CHANNELS, HEIGHT, OUT_HEIGHT, OUT_WIDTH, PAD_LEFT, PAD_TOP, Place, place_of, POOL_HEIGHT, POOL_WIDTH
//!gives STRIDE_X, STRIDE_Y, WIDTH, windows_of
//!include "lib/window/windows.wgsl"

override BATCH: u32;
override HEIGHT: u32;
override WIDTH: u32;
override CHANNELS: u32;
override OUT_HEIGHT: u32;
override OUT_WIDTH: u32;
override POOL_HEIGHT: u32;
override POOL_WIDTH: u32;
override STRIDE_Y: u32;
override STRIDE_X: u32;
override PAD_TOP: u32;
override PAD_LEFT: u32;

// Where a value lies in an NHWC tensor of the input's or the output's extent.
struct Place {
  n: u32,
  y: u32,
  x: u32,
  c: u32,
}

fn place_of(index: u32, height: u32, width: u32) -> Place {
  let pixel = index / CHANNELS;
  return Place(pixel / (width * height), pixel / width % height, pixel % width, index % CHANNELS);
}

// The windows that contain a pixel; none where strides leave pixels out.
fn windows_of(pixel: u32, stride: u32, size: u32, pad: u32, count: u32) -> Range {
  let at = pixel + pad;
  return Range((max(at + 1u, size) - size + stride - 1u) / stride, min(at / stride + 1u, count));
}
