// One invocation makes 32 channels of a pixel. It needs lib/conv/depthwise.wgsl and
//   store(channel, pixel, dot): takes the dot product of a channel of an output pixel
//!needs CHANNELS, count_differing, place_of, store, taps_counted, WORDS
//!gives store_dots

// Bits of channels `first`, `first` + 8, + 16 and + 24, as bit `place` of a byte each.
fn in_bytes(plane: u32, first: u32, place: u32) -> u32 {
  return ((plane >> first) & 0x01010101u) << place;
}

fn store_dots(index: u32) {
  let place = place_of(index);
  let counts = count_differing(place);
  let counted = i32(taps_counted(place));
  let pixel = index / WORDS;
  for (var i = 0u; i < 8u; i++) {
    let low = in_bytes(counts.p0, i, 0u) | in_bytes(counts.p1, i, 1u) | in_bytes(counts.p2, i, 2u);
    let high = in_bytes(counts.p3, i, 3u) | in_bytes(counts.p4, i, 4u) | in_bytes(counts.p5, i, 5u);
    let bytes = low | high;
    for (var j = 0u; j < 4u; j++) {
      let channel = 32u * place.word + 8u * j + i;
      if (channel < CHANNELS) {
        store(channel, pixel, counted - 2 * i32((bytes >> (8u * j)) & 0xffu));
      }
    }
  }
}
