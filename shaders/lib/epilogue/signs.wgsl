// What becomes of a binary layer's dot products on their way out as signs: a clamp, then one comparison per channel; -1
// (bit 1) unless direction * dot >= threshold. It needs alias Lane, f32 or vec4f: neighbouring channels.
//!needs Lane
//!gives directed, threshold
override LOWEST: f32; // of the clamp
override HIGHEST: f32;

@group(0) @binding(2) var<storage, read> direction: array<Lane>; // f32 [OUT_CHANNELS]: 1, -1 or 0
@group(0) @binding(3) var<storage, read> threshold: array<Lane>; // f32 [OUT_CHANNELS], whole numbers or not

// What is compared with the threshold.
fn directed(dot: Lane, channel: u32) -> Lane {
  return direction[channel] * clamp(dot, Lane(LOWEST), Lane(HIGHEST));
}
