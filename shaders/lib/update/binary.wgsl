// The frame of updates of binary weights: latent weights, their packed signs and the counters of flipped signs, in one
// kernel. One invocation takes the up to 32 weights of one packed word. The holes are filled by methods: the gradient
// that the quantizer of the weights passes, a penalty, and the optimizer's update.
//!needs begin_measure, edited, end_measure, Lane, negative_lanes, signs_of, take_measure, WIDTH
//!gives bits, slots
//!include "lib/update/weights.wgsl"
//!hole gradient "methods/quantizers/ste_identity.wgsl"
//!hole penalty "methods/penalties/none.wgsl"
//!hole update "methods/optimizers/sgd.wgsl"
//!include "lib/update/settle.wgsl"

override ROWS: u32; // rows of CHANNELS weights, all filters together
override CHANNELS: u32;
override FILTER_ROWS: u32; // rows of one filter
override HAS_LATENT: u32; // 0: the signs are all there is of the weights, and `latent` is a placeholder
override HAS_SLOTS: u32; // 0: the optimizer keeps nothing, and `slots` is a placeholder

@group(0) @binding(0) var<storage, read> grad: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(1) var<storage, read> state: TrainState;
@group(0) @binding(2) var<storage, read> table: array<Scalars>; // [TABLE_ROWS]
@group(0) @binding(3) var<storage, read_write> latent: array<Lane>; // f32 [ROWS, CHANNELS]
@group(0) @binding(4) var<storage, read_write> bits: array<u32>; // [ROWS, ceil(CHANNELS / 32)]
@group(0) @binding(5) var<storage, read_write> slots: array<Slots>; // [ROWS, CHANNELS / WIDTH]
@group(0) @binding(6) var<storage, read_write> flips: array<atomic<u32>>; // [ROWS / FILTER_ROWS]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let words = (CHANNELS + 31u) / 32u;
  let index = linear_index(id, groups, 64u);
  if (index >= ROWS * words || state.halted != 0u) {
    return;
  }
  let row = index / words;
  let first = (index % words) * 32u;
  let count = min(32u, CHANNELS - first);
  let origin = (row * CHANNELS + first) / WIDTH;
  let scalars = table[min(state.batch, TABLE_ROWS - 1u)];
  let old = bits[index];
  var word = 0u;
  begin_measure();
  for (var i = 0u; i < count; i += WIDTH) {
    let at = origin + i / WIDTH;
    var w = signs_of(old >> i);
    if (HAS_LATENT == 1u) {
      w = latent[at];
    }
    var kept: Slots;
    if (HAS_SLOTS == 1u) {
      kept = slots[at];
    }
    let g = edited(w, grad[at]);
    drawing = vec4u(state.seed, STREAM, at, state.step);
    let stepped = settle(update(w, g, &kept, scalars));
    take_measure(w, stepped, g, kept);
    if (HAS_SLOTS == 1u) {
      slots[at] = kept;
    }
    if (HAS_LATENT == 1u) {
      latent[at] = stepped;
    }
    word |= negative_lanes(stepped) << i;
  }
  end_measure(index);
  let flipped = countOneBits(word ^ old);
  if (flipped != 0u) {
    bits[index] = word;
    atomicAdd(&flips[row / FILTER_ROWS], flipped);
  }
}
