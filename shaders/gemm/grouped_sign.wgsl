// Product of reals with signs that have a scale for each GROUP of them along a row: out = x * transpose(scale * sign(w)). Four
// columns of the workgroup's 64 invocations each: 16 invocations share a column, and a row of x, so that weights are read in order.
//!include "lib/index.wgsl"

override M: u32;
override N: u32;
override K: u32;
override GROUP: u32; // a multiple of 32 that divides K

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read> scales: array<f32>; // [N, K / GROUP]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // [M, N]

const LANES = 16u;
// Rows of x that share a word of weights.
const ROWS = 4u;

var<workgroup> sums: array<vec4f, 64>;

// Four numbers, negated where bits of a word say so, from bit `first` on: a sign is flipped by XOR.
fn signed(values: vec4f, word: u32, first: u32) -> f32 {
  let minus = ((vec4u(word) >> (vec4u(first) + vec4u(0u, 1u, 2u, 3u))) & vec4u(1u)) << vec4u(31u);
  let signs = bitcast<vec4f>(bitcast<vec4u>(values) ^ minus);
  return signs.x + signs.y + signs.z + signs.w;
}

fn word_sum(row: u32, place: u32, word: u32) -> f32 {
  let at = (min(row, M - 1u) * K + place * 32u) / 4u;
  var sum = 0.0;
  for (var i = 0u; i < 8u; i++) {
    sum += signed(x[at + i], word, i * 4u);
  }
  return sum;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = (N + 3u) / 4u;
  let tile = linear_index(group, groups, 1u);
  let column = tile % columns * 4u + local / LANES;
  let row = tile / columns * ROWS;
  let lane = local % LANES;
  var sum = vec4f(0.0);
  if (column < N && row < M) {
    let words = K / 32u;
    for (var i = lane; i < words; i += LANES) {
      let word = w[column * words + i];
      let scale = scales[column * (K / GROUP) + i * 32u / GROUP];
      sum.x += scale * word_sum(row, i, word);
      if (row + 1u < M) {
        sum.y += scale * word_sum(row + 1u, i, word);
      }
      if (row + 2u < M) {
        sum.z += scale * word_sum(row + 2u, i, word);
      }
      if (row + 3u < M) {
        sum.w += scale * word_sum(row + 3u, i, word);
      }
    }
  }
  sums[local] = sum;
  workgroupBarrier();
  if (lane == 0u && column < N) {
    for (var i = 1u; i < LANES; i++) {
      sum += sums[local + i];
    }
    for (var i = 0u; i < ROWS; i++) {
      if (row + i < M) {
        out[(row + i) * N + column] = sum[i];
      }
    }
  }
}
