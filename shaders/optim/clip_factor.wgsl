// What all gradients are multiplied by, so that their length together is at most MOST.
override COUNT: u32;
override MOST: f32;

@group(0) @binding(0) var<storage, read> sums: array<f32>; // [COUNT]: of squares
@group(0) @binding(1) var<storage, read_write> factor: array<f32>; // [1]

@compute @workgroup_size(1)
fn main() {
  var total = 0.0;
  for (var i = 0u; i < COUNT; i++) {
    total += sums[i];
  }
  let length = sqrt(total);
  factor[0] = select(1.0, MOST / length, length > MOST);
}
