// Parts of the gradient with respect to what a quantizer learns: what each value adds to the learned numbers of its group,
// summed over a chunk of the group's values. Values lie as [OUTER, GROUPS, INNER]. One workgroup takes a chunk of one group;
// its invocations add up every 64th value, and the parts are added in pairs, so that the order of all sums is fixed.
//!include "lib/index.wgsl"
//!include "lib/state.wgsl"
//!include "lib/quantizer/rows.wgsl"
//!include "lib/quantizer/rule.wgsl"
//!hole gradient "methods/rows/passing.wgsl"
//!hole row "methods/rows/plain.wgsl"

override OUTER: u32;
override GROUPS: u32;
override INNER: u32;
override CHUNKS: u32;
override LENGTH: u32; // values of a row
override HAS_STATISTICS: u32; // 0: the rule reads none, and `statistics` is a placeholder
override STRAIGHT: u32; // 1: what passes is of the value itself
override TABLE_ROWS: u32; // batches of an epoch, and one more; 1 where nothing changes from step to step

const LANES = 64u;

@group(0) @binding(0) var<storage, read> g: array<f32>; // [OUTER, GROUPS, INNER]
@group(0) @binding(1) var<storage, read> x: array<f32>; // [OUTER, GROUPS, INNER]
@group(0) @binding(2) var<storage, read> statistics: array<RowStatistics>;
@group(0) @binding(3) var<storage, read> learned: array<Learned>; // [GROUPS]
@group(0) @binding(4) var<storage, read> table: array<Scalars>; // [TABLE_ROWS]
@group(0) @binding(5) var<storage, read> state: TrainState; // a placeholder where TABLE_ROWS is 1
@group(0) @binding(6) var<storage, read_write> parts: array<vec4f>; // [CHUNKS, GROUPS]

var<workgroup> sums: array<vec4f, LANES>;

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) part: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (part.y + FIRST_ROW) * groups.x + part.x;
  if (index >= CHUNKS * GROUPS) {
    return;
  }
  let group = index % GROUPS;
  let own = learned[group_of(group, group)];
  let now = table[min(state.batch, TABLE_ROWS - 1u)];
  let count = OUTER * INNER;
  let share = (count + CHUNKS - 1u) / CHUNKS;
  let first = (index / GROUPS) * share;
  let end = min(count, first + share);
  var sum = vec4f();
  for (var i = first + lane; i < end; i += LANES) {
    let at = ((i / INNER) * GROUPS + group) * INNER + i % INNER;
    let row = statistics[select(0u, at / LENGTH, HAS_STATISTICS == 1u)];
    let value = x[at];
    let taken = rule_argument(value, row, own);
    let passed = rule_gradient(select(taken, value, STRAIGHT == 1u), now);
    sum += g[at] * rule_learning(value, select(1.0, -1.0, taken < 0.0), passed, row, own);
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      sums[lane] += sums[lane + half];
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    parts[index] = sums[0];
  }
}
