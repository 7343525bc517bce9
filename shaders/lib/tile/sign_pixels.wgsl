// An output pixel's share of the filter gradients of `lib/tile/grad_weights.wgsl`, from packed activations. It needs:
//   g: array<vec4f>, f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
//   a: array<u32>, bits [BATCH, HEIGHT, WIDTH, CHANNELS]
//!needs a, CHANNELS, counted, g, OUT_CHANNELS, PAD_VALUE, place_of, Span, Terms
//!gives pixel_at, terms_of
//!include "lib/words/sign_bytes.wgsl"

struct Pixel {
  word: u32, // of the input, with the channels at hand
  left: vec4f, // the gradients of eight outputs
  right: vec4f,
}

fn pixel_at(pixel: u32, span: Span) -> Pixel {
  let place = place_of(pixel, span);
  let gradient = place.gradient * (OUT_CHANNELS / 4u) + span.output;
  return Pixel(
    select(
      select(0u, 0xffffffffu, PAD_VALUE < 0),
      a[place.input * ((CHANNELS + 31u) / 32u) + (span.quad >> 3u)],
      place.inside,
    ),
    counted(g[gradient], place),
    counted(g[gradient + span.second], place),
  );
}

fn terms_of(words: vec4u, left: mat4x4f, right: mat4x4f, span: Span) -> Terms {
  let signs = signs_of_bytes(words * byte_factor(span.quad / 2u));
  return Terms(signs.lo, signs.hi, left, right);
}
