// Adds up the rows of a batch in a fixed order, writes the step's metrics, and halts the run when the loss isn't finite.
//!include "lib/loss/targets.wgsl"
//!include "lib/state.wgsl"

override BATCH: u32;
override RING: u32;
override EVALUATE: u32; // 1: report a loss that isn't finite, but don't halt

@group(0) @binding(0) var<storage, read> row_losses: array<vec2u>; // [BATCH]: bits of the loss, flags
// f32 [RING, 4]: mean loss, hits, rows, step. Written as bits, so that a NaN arrives as one.
@group(0) @binding(1) var<storage, read_write> metrics: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> state: TrainState;

var<workgroup> losses: array<f32, 64>;
var<workgroup> valid: atomic<u32>;
var<workgroup> hits: atomic<u32>;
var<workgroup> broken: atomic<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  var loss = 0.0;
  var flags = vec3u(0u);
  for (var row = local; row < BATCH; row += 64u) {
    let entry = row_losses[row];
    flags += min(vec3u(entry.y) & vec3u(ROW_VALID, ROW_HIT, ROW_BROKEN), vec3u(1u));
    loss += bitcast<f32>(entry.x);
  }
  losses[local] = loss;
  atomicAdd(&valid, flags.x);
  atomicAdd(&hits, flags.y);
  atomicAdd(&broken, flags.z);
  workgroupBarrier();
  // What a halted run last wrote is what there is to diagnose.
  if (local != 0u || (EVALUATE == 0u && state.halted != 0u)) {
    return;
  }
  var total = 0.0;
  for (var i = 0u; i < 64u; i++) {
    total += losses[i];
  }
  let rows = atomicLoad(&valid);
  let mean = total / f32(max(rows, 1u));
  let finite = atomicLoad(&broken) == 0u && is_finite(mean);
  metrics[state.step % RING] = vec4u(
    select(QUIET_NAN, bitcast<u32>(mean), finite),
    bitcast<u32>(f32(atomicLoad(&hits))),
    bitcast<u32>(f32(rows)),
    bitcast<u32>(f32(state.step)),
  );
  if (!finite && EVALUATE == 0u) {
    state.halted = 1u;
  }
}
