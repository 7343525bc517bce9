// The patch of an image below a window as bits: for each output pixel the taps' values, [KERNEL_HEIGHT, KERNEL_WIDTH,
// CHANNELS], 32 of them in eight words, one a bit plane, the lowest first; and after all of them their sum. It needs
// lib/conv/extents.wgsl.
//!needs CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH
//!gives PATCH_WORDS, PIXEL_VECTORS
override PATCH = KERNEL_HEIGHT * KERNEL_WIDTH * CHANNELS;
override PATCH_WORDS = (PATCH + 31u) / 32u;
override PIXEL_VECTORS = 2u * PATCH_WORDS + 1u;
