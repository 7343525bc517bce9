// One row a workgroup: 16 invocations share eight columns, and read a row of weights in order, each of them every 16th word.
//!needs accumulate, close_word, columns_from, four, K, M, N, out, scales_at, signs_at, Sums, total, weights_at, WORDS_OF_GROUP
//!include "lib/index.wgsl"
const LANES = 16u;

var<workgroup> parts: array<array<vec4f, 2>, 64>;

fn store(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, N - min(column, N)); i++) {
    out[row * N + column + i] = sums[i];
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let tiles = (N + 31u) / 32u;
  let tile = linear_index(group, groups, 1u);
  let row = min(tile / tiles, M - 1u);
  let column = tile % tiles * 32u + local / LANES * 8u;
  let columns0 = columns_from(column);
  let columns1 = columns_from(column + 4u);
  let lane = local % LANES;
  var sums0 = Sums();
  var sums1 = Sums();
  // Which group a word is of is counted: a division costs more than all else here.
  var place_in_group = lane % WORDS_OF_GROUP;
  var of_group = lane / WORDS_OF_GROUP;
  for (var word = lane; word < K / 32u; word += LANES) {
    let weights0 = weights_at(columns0, word);
    let weights1 = weights_at(columns1, word);
    let scales0 = scales_at(columns0, of_group);
    let scales1 = scales_at(columns1, of_group);
    let first = (row * K + word * 32u) / 4u;
    for (var i = 0u; i < 8u; i++) {
      let x4 = four(first + i);
      sums0 = accumulate(sums0, signs_at(weights0, scales0, 4u * i), x4);
      sums1 = accumulate(sums1, signs_at(weights1, scales1, 4u * i), x4);
    }
    sums0 = close_word(sums0, scales0);
    sums1 = close_word(sums1, scales1);
    place_in_group += LANES % WORDS_OF_GROUP;
    of_group += LANES / WORDS_OF_GROUP;
    if (place_in_group >= WORDS_OF_GROUP) {
      place_in_group -= WORDS_OF_GROUP;
      of_group++;
    }
  }
  parts[local] = array(total(sums0, row), total(sums1, row));
  workgroupBarrier();
  if (lane == 0u && tile / tiles < M) {
    var whole = parts[local];
    for (var i = 1u; i < LANES; i++) {
      whole[0] += parts[local + i][0];
      whole[1] += parts[local + i][1];
    }
    store(row, column, whole[0]);
    store(row, column + 4u, whole[1]);
  }
}
