// The patch of an image below a window as bits: for each output pixel the taps' values, [KERNEL_HEIGHT, KERNEL_WIDTH,
// CHANNELS], bit plane by bit plane, in PATCH_WORDS words each, and then their sum. It needs lib/conv.wgsl.
override PATCH = KERNEL_HEIGHT * KERNEL_WIDTH * CHANNELS;
override PATCH_WORDS = (PATCH + 31u) / 32u;
override PIXEL_WORDS = 8u * PATCH_WORDS + 1u;
