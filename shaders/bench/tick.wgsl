// Next to no work: what a dispatch of it costs is the dispatch. It counts, so that every dispatch is accounted for.

@group(0) @binding(0) var<storage, read_write> ticks: array<u32>; // [1]

@compute @workgroup_size(1)
fn main() {
  ticks[0] += 1u;
}
