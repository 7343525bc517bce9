// The body of the tiled filter gradients: one invocation sums eight outputs times eight channels of one tap over one
// slice of the output rows; `sum_slices` adds the slices. It needs, of the kernel that includes it:
//   g: array<vec4f>, f32 [BATCH, OUT_HEIGHT, OUT_WIDTH, OUT_CHANNELS]
//   input_at(pixel, quad): the input's pixel, for the channels of quad and of the quad after it (anything where there
//     is none)
//   out: array<f32> [CHUNKS, OUT_CHANNELS, KERNEL_HEIGHT, KERNEL_WIDTH, CHANNELS]
override CHUNKS: u32; // slices of the sum over BATCH * OUT_HEIGHT rows

fn store(chunk: u32, o: u32, tap: u32, quad: u32, sum: vec4f) {
  let c = quad * 4u;
  if (o >= OUT_CHANNELS || c >= CHANNELS) {
    return;
  }
  let first = ((chunk * OUT_CHANNELS + o) * KERNEL_HEIGHT * KERNEL_WIDTH + tap) * CHANNELS + c;
  for (var i = 0u; i < min(4u, CHANNELS - c); i++) {
    out[first + i] = sum[i];
  }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let taps = KERNEL_HEIGHT * KERNEL_WIDTH;
  let channel_tiles = (CHANNELS + 7u) / 8u;
  let output_tiles = (OUT_CHANNELS + 7u) / 8u;
  if (index >= channel_tiles * taps * output_tiles * CHUNKS) {
    return;
  }
  let quad = index % channel_tiles * 2u;
  let tap = index / channel_tiles % taps;
  let o = index / (channel_tiles * taps) % output_tiles * 8u;
  let chunk = index / (channel_tiles * taps * output_tiles);
  let ky = tap / KERNEL_WIDTH;
  let kx = tap % KERNEL_WIDTH;
  let quads = OUT_CHANNELS / 4u;
  let second = min(o / 4u + 1u, quads - 1u) - o / 4u; // 0 where the last pair of quads has one only

  // The columns of the output whose tap lies inside the image.
  let right = kx * DILATION_X;
  let begin = min(OUT_WIDTH, (max(PAD_LEFT, right) - right + STRIDE_X - 1u) / STRIDE_X);
  let end = max(begin, min(OUT_WIDTH, (max(WIDTH + PAD_LEFT, right) - right + STRIDE_X - 1u) / STRIDE_X));

  var d0 = vec4f();
  var e0 = vec4f();
  var d1 = vec4f();
  var e1 = vec4f();
  var d2 = vec4f();
  var e2 = vec4f();
  var d3 = vec4f();
  var e3 = vec4f();
  var d4 = vec4f();
  var e4 = vec4f();
  var d5 = vec4f();
  var e5 = vec4f();
  var d6 = vec4f();
  var e6 = vec4f();
  var d7 = vec4f();
  var e7 = vec4f();
  // Gradients of outputs whose tap lies in the padding.
  var outside0 = vec4f();
  var outside1 = vec4f();

  let rows = BATCH * OUT_HEIGHT;
  let per_chunk = (rows + CHUNKS - 1u) / CHUNKS;
  for (var r = chunk * per_chunk; r < min(rows, (chunk + 1u) * per_chunk); r++) {
    let row = input_row(r % OUT_HEIGHT, ky);
    let inside = row < HEIGHT;
    var gradient = r * OUT_WIDTH * quads + o / 4u;
    if (PAD_VALUE != 0) {
      for (var out_x = 0u; out_x < OUT_WIDTH; out_x++) {
        if (!inside || out_x < begin || out_x >= end) {
          outside0 += g[gradient + out_x * quads];
          outside1 += g[gradient + out_x * quads + second];
        }
      }
    }
    if (!inside) {
      continue;
    }
    gradient += begin * quads;
    var pixel = (r / OUT_HEIGHT * HEIGHT + row) * WIDTH + input_column(begin, kx);
    for (var out_x = begin; out_x < end; out_x++) {
      let g0 = g[gradient];
      let g1 = g[gradient + second];
      let v = input_at(pixel, quad);
      d0 += g0.x * v[0];
      e0 += g0.x * v[1];
      d1 += g0.y * v[0];
      e1 += g0.y * v[1];
      d2 += g0.z * v[0];
      e2 += g0.z * v[1];
      d3 += g0.w * v[0];
      e3 += g0.w * v[1];
      d4 += g1.x * v[0];
      e4 += g1.x * v[1];
      d5 += g1.y * v[0];
      e5 += g1.y * v[1];
      d6 += g1.z * v[0];
      e6 += g1.z * v[1];
      d7 += g1.w * v[0];
      e7 += g1.w * v[1];
      gradient += quads;
      pixel += STRIDE_X;
    }
  }
  if (PAD_VALUE != 0) {
    outside0 *= f32(PAD_VALUE);
    outside1 *= f32(PAD_VALUE);
  }
  store(chunk, o, tap, quad, d0 + outside0.x);
  store(chunk, o, tap, quad + 1u, e0 + outside0.x);
  store(chunk, o + 1u, tap, quad, d1 + outside0.y);
  store(chunk, o + 1u, tap, quad + 1u, e1 + outside0.y);
  store(chunk, o + 2u, tap, quad, d2 + outside0.z);
  store(chunk, o + 2u, tap, quad + 1u, e2 + outside0.z);
  store(chunk, o + 3u, tap, quad, d3 + outside0.w);
  store(chunk, o + 3u, tap, quad + 1u, e3 + outside0.w);
  store(chunk, o + 4u, tap, quad, d4 + outside1.x);
  store(chunk, o + 4u, tap, quad + 1u, e4 + outside1.x);
  store(chunk, o + 5u, tap, quad, d5 + outside1.y);
  store(chunk, o + 5u, tap, quad + 1u, e5 + outside1.y);
  store(chunk, o + 6u, tap, quad, d6 + outside1.z);
  store(chunk, o + 6u, tap, quad + 1u, e6 + outside1.z);
  store(chunk, o + 7u, tap, quad, d7 + outside1.w);
  store(chunk, o + 7u, tap, quad + 1u, e7 + outside1.w);
}
