// Product of packed signs: out = a * transpose(w) = K - 2 * popcount(a XOR w). One invocation makes 4 rows x 4 columns,
// so that a word it loads is counted four times. N is a multiple of 4; M and K are any.

override M: u32;
override N: u32;
override K: u32;
override INTEGER: u32; // 1: out is i32; 0: out is f32

@group(0) @binding(0) var<storage, read> a: array<u32>; // bits [M, K]
@group(0) @binding(1) var<storage, read> w: array<u32>; // bits [N, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4u>; // i32 or f32 [M, N]

fn store(row: u32, column: u32, differing: vec4u) {
  if (row >= M) {
    return;
  }
  let dot = vec4i(i32(K)) - 2 * vec4i(differing);
  out[(row * N + column) / 4u] = select(bitcast<vec4u>(vec4f(dot)), bitcast<vec4u>(dot), INTEGER == 1u);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 4u;
  let m = id.y * 4u;
  if (n >= N || m >= M) {
    return;
  }
  let words = (K + 31u) / 32u;
  // Rows beyond the last one repeat it, and aren't stored.
  let a0 = m * words;
  let a1 = min(m + 1u, M - 1u) * words;
  let a2 = min(m + 2u, M - 1u) * words;
  let a3 = min(m + 3u, M - 1u) * words;
  let w0 = n * words;
  let w1 = w0 + words;
  let w2 = w1 + words;
  let w3 = w2 + words;

  var differing0 = vec4u();
  var differing1 = vec4u();
  var differing2 = vec4u();
  var differing3 = vec4u();
  for (var i = 0u; i < words; i++) {
    let columns = vec4u(w[w0 + i], w[w1 + i], w[w2 + i], w[w3 + i]);
    differing0 += countOneBits(vec4u(a[a0 + i]) ^ columns);
    differing1 += countOneBits(vec4u(a[a1 + i]) ^ columns);
    differing2 += countOneBits(vec4u(a[a2 + i]) ^ columns);
    differing3 += countOneBits(vec4u(a[a3 + i]) ^ columns);
  }
  store(m, n, differing0);
  store(m + 1u, n, differing1);
  store(m + 2u, n, differing2);
  store(m + 3u, n, differing3);
}
