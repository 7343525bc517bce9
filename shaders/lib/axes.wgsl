// Places along the axes of a tensor of up to five axes, the first of them outermost.
//!gives place_of, SIZE
override SIZE: u32; // elements of the result
override EXTENT_1: u32;
override EXTENT_2: u32;
override EXTENT_3: u32;
override EXTENT_4: u32;

struct Place {
  outer: u32,
  inner: vec4u,
}

fn place_of(index: u32) -> Place {
  let third = index / EXTENT_4;
  let second = third / EXTENT_3;
  let first = second / EXTENT_2;
  return Place(
    first / EXTENT_1,
    vec4u(first % EXTENT_1, second % EXTENT_2, third % EXTENT_3, index % EXTENT_4),
  );
}
