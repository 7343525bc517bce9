// What the dot products of each filter's signs with those of all others say; one invocation a filter. It reads a column,
// which is the row too, so that neighbours read neighbours.
override FILTERS: u32;
override LENGTH: u32; // signs of one filter

@group(0) @binding(0) var<storage, read> dots: array<i32>; // [FILTERS, FILTERS]
// f32 [FILTERS, 4]: largest |cos| with another filter, sum of cos and of cos^2 over the others, and whether it equals
// an earlier filter (1), the negative of one (2), or both (3)
@group(0) @binding(1) var<storage, read_write> pairs: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let filter_index = id.x;
  if (filter_index >= FILTERS) {
    return;
  }
  var largest = 0u;
  var sum = 0.0;
  var squares = 0.0;
  var twin = 0u;
  let whole = i32(LENGTH);
  // Sums of sums: no more than about sqrt(FILTERS) numbers of different size are added up.
  for (var start = 0u; start < FILTERS; start += 64u) {
    var part = vec2f(0.0);
    for (var other = start; other < min(start + 64u, FILTERS); other++) {
      if (other == filter_index) {
        continue;
      }
      let product = dots[other * FILTERS + filter_index];
      let cosine = f32(product) / f32(LENGTH);
      part += vec2f(cosine, cosine * cosine);
      largest = max(largest, u32(abs(product)));
      if (other < filter_index) {
        twin |= select(0u, 1u, product == whole) | select(0u, 2u, product == -whole);
      }
    }
    sum += part.x;
    squares += part.y;
  }
  pairs[filter_index] = vec4f(f32(largest) / f32(LENGTH), sum, squares, f32(twin));
}
