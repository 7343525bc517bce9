// Weights of 32 bits, filters of any length.
//!needs LENGTH
//!gives weights_at, whole_at
@group(0) @binding(0) var<storage, read> latent: array<u32>; // f32 [FILTERS, LENGTH], as raw bits

fn weights_at(row: u32, quad: u32) -> vec4u {
  let last = LENGTH - 1u;
  let start = row * LENGTH;
  let i = quad * 4u;
  return vec4u(
    latent[start + i],
    latent[start + min(i + 1u, last)],
    latent[start + min(i + 2u, last)],
    latent[start + min(i + 3u, last)],
  );
}

fn whole_at(row: u32, quad: u32) -> vec4u {
  let at = row * LENGTH + quad * 4u;
  return vec4u(latent[at], latent[at + 1u], latent[at + 2u], latent[at + 3u]);
}
