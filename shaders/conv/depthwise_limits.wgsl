// Thresholds as `conv/depthwise_signs` compares them: whether direction * clamp(dot) >= threshold changes at most once as
// TAPS - dot counts from 0 to 2 * TAPS. A channel has the number at which it changes, and the bit that it starts with.
//!include "lib/index.wgsl"

override CHANNELS: u32;
override TAPS: u32; // 63 at most
override LOWEST: f32; // of the clamp
override HIGHEST: f32;

@group(0) @binding(0) var<storage, read> direction: array<f32>; // [CHANNELS]: 1, -1 or 0
@group(0) @binding(1) var<storage, read> threshold: array<f32>; // [CHANNELS], whole numbers or not
@group(0) @binding(2) var<storage, read_write> out: array<u32>; // words [8, ceil(CHANNELS / 32)]: bits of the numbers, first bits

fn is_minus(channel: u32, below: u32) -> bool {
  let dot = f32(i32(TAPS) - i32(below));
  return !(direction[channel] * clamp(dot, LOWEST, HIGHEST) >= threshold[channel]);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = linear_index(id, groups, 64u);
  let words = (CHANNELS + 31u) / 32u;
  if (index >= words) {
    return;
  }
  var low = vec4u();
  var high = vec4u();
  for (var i = 0u; i < min(32u, CHANNELS - 32u * index); i++) {
    let channel = 32u * index + i;
    let start = is_minus(channel, 0u);
    var limit = 0u; // that many are as the first one
    for (var step = 64u; step > 0u; step >>= 1u) {
      let wider = limit + step;
      if (wider <= 2u * TAPS + 1u && is_minus(channel, wider - 1u) == start) {
        limit = wider;
      }
    }
    low |= ((vec4u(limit) >> vec4u(0u, 1u, 2u, 3u)) & vec4u(1u)) << vec4u(i);
    let last = vec4u(limit >> 4u, limit >> 5u, limit >> 6u, select(0u, 1u, start));
    high |= (last & vec4u(1u)) << vec4u(i);
  }
  out[index] = low.x;
  out[words + index] = low.y;
  out[2u * words + index] = low.z;
  out[3u * words + index] = low.w;
  out[4u * words + index] = high.x;
  out[5u * words + index] = high.y;
  out[6u * words + index] = high.z;
  out[7u * words + index] = high.w;
}
