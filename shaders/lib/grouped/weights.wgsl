// Signs of four columns, the scales of their groups, and which of them count: vectors across the columns.
//!needs GROUP, HALF_SCALES, K, N, nonzero, scales, TERNARY, w
//!gives columns_from, scales_at, Weights, weights_at, WORDS_OF_GROUP
override WORDS_OF_GROUP = GROUP / 32u;

struct Weights {
  words: vec4u,
  kept: vec4u, // bit 1 where a weight is not 0; read of ternary ones alone
}

// Columns beyond the last one repeat it, and aren't stored.
fn columns_from(column: u32) -> vec4u {
  return min(vec4u(column) + vec4u(0u, 1u, 2u, 3u), vec4u(N - 1u));
}

fn weights_at(columns: vec4u, place: u32) -> Weights {
  let at = columns * (K / 32u) + place;
  var weights = Weights(vec4u(w[at.x], w[at.y], w[at.z], w[at.w]), vec4u());
  if (TERNARY == 1u) {
    weights.kept = vec4u(nonzero[at.x], nonzero[at.y], nonzero[at.z], nonzero[at.w]);
  }
  return weights;
}

fn scale_at(at: u32) -> f32 {
  if (HALF_SCALES == 1u) {
    let pair = unpack2x16float(scales[at / 2u]);
    return select(pair.x, pair.y, (at & 1u) == 1u);
  }
  return bitcast<f32>(scales[at]);
}

fn scales_at(columns: vec4u, group: u32) -> vec4f {
  let at = columns * (K / GROUP) + group;
  return vec4f(scale_at(at.x), scale_at(at.y), scale_at(at.z), scale_at(at.w));
}
