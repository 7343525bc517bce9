// Weights of one bit: signs, 32 to a word, rows of CHANNELS weights that start new words each; 1 is -1.
//!needs LENGTH
//!gives weights_at, whole_at
override CHANNELS: u32;

@group(0) @binding(0) var<storage, read> latent: array<u32>; // bits [FILTERS, LENGTH / CHANNELS, CHANNELS]

fn sign_at(weight: u32) -> u32 {
  let channel = weight % CHANNELS;
  let word = latent[weight / CHANNELS * ((CHANNELS + 31u) / 32u) + channel / 32u];
  return 0x3f800000u | (((word >> (channel % 32u)) & 1u) << 31u);
}

fn weights_at(row: u32, quad: u32) -> vec4u {
  let first = row * LENGTH + quad * 4u;
  let last = row * LENGTH + LENGTH - 1u;
  return vec4u(
    sign_at(first),
    sign_at(min(first + 1u, last)),
    sign_at(min(first + 2u, last)),
    sign_at(min(first + 3u, last)),
  );
}

fn whole_at(row: u32, quad: u32) -> vec4u {
  return weights_at(row, quad);
}
