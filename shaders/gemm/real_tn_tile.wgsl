// Product of reals: out = transpose(a) * c. One invocation makes 8 rows x 8 columns in registers (4 rows in the smaller
// tile), adding the outer products of two rows of the operands at a time: each value it loads is used 8 times. M and N are
// multiples of 4; K is any.
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // [K, M]
@group(0) @binding(1) var<storage, read> c: array<vec4f>; // [K, N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [M, N]

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < M && column < N) {
    out[(row * N + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 8u;
  let m = tile_row(id) * (TILE_SUMS / 8u);
  if (n >= N || m >= M) {
    return;
  }
  // Vectors beyond the last four rows or columns repeat them, and aren't stored.
  let upper = m / 4u;
  let lower = min(m + 4u, M - 4u) / 4u;
  let left = n / 4u;
  let right = min(n + 4u, N - 4u) / 4u;

  var c00 = vec4f();
  var c01 = vec4f();
  var c10 = vec4f();
  var c11 = vec4f();
  var c20 = vec4f();
  var c21 = vec4f();
  var c30 = vec4f();
  var c31 = vec4f();
  var c40 = vec4f();
  var c41 = vec4f();
  var c50 = vec4f();
  var c51 = vec4f();
  var c60 = vec4f();
  var c61 = vec4f();
  var c70 = vec4f();
  var c71 = vec4f();
  var k = 0u;
  for (; k + 2u <= K; k += 2u) {
    let a_row = k * M / 4u;
    let a_next = a_row + M / 4u;
    let c_row = k * N / 4u;
    let c_next = c_row + N / 4u;
    let c0 = mat2x4f(c[c_row + left], c[c_next + left]);
    let c1 = mat2x4f(c[c_row + right], c[c_next + right]);
    // Column r: row r of the transpose at k and k + 1.
    let a0 = transpose(mat2x4f(a[a_row + upper], a[a_next + upper]));
    c00 += c0 * a0[0];
    c01 += c1 * a0[0];
    c10 += c0 * a0[1];
    c11 += c1 * a0[1];
    c20 += c0 * a0[2];
    c21 += c1 * a0[2];
    c30 += c0 * a0[3];
    c31 += c1 * a0[3];
    let a1 = transpose(mat2x4f(a[a_row + lower], a[a_next + lower]));
    c40 += c0 * a1[0];
    c41 += c1 * a1[0];
    c50 += c0 * a1[1];
    c51 += c1 * a1[1];
    c60 += c0 * a1[2];
    c61 += c1 * a1[2];
    c70 += c0 * a1[3];
    c71 += c1 * a1[3];
  }
  if (k < K) {
    let c0 = c[k * N / 4u + left];
    let c1 = c[k * N / 4u + right];
    let a0 = a[k * M / 4u + upper];
    c00 += a0.x * c0;
    c01 += a0.x * c1;
    c10 += a0.y * c0;
    c11 += a0.y * c1;
    c20 += a0.z * c0;
    c21 += a0.z * c1;
    c30 += a0.w * c0;
    c31 += a0.w * c1;
    let a1 = a[k * M / 4u + lower];
    c40 += a1.x * c0;
    c41 += a1.x * c1;
    c50 += a1.y * c0;
    c51 += a1.y * c1;
    c60 += a1.z * c0;
    c61 += a1.z * c1;
    c70 += a1.w * c0;
    c71 += a1.w * c1;
  }
  store(m, n, c00);
  store(m, n + 4u, c01);
  store(m + 1u, n, c10);
  store(m + 1u, n + 4u, c11);
  store(m + 2u, n, c20);
  store(m + 2u, n + 4u, c21);
  store(m + 3u, n, c30);
  store(m + 3u, n + 4u, c31);
  if (TILE_SUMS == 64u) {
    store(m + 4u, n, c40);
    store(m + 4u, n + 4u, c41);
    store(m + 5u, n, c50);
    store(m + 5u, n + 4u, c51);
    store(m + 6u, n, c60);
    store(m + 6u, n + 4u, c61);
    store(m + 7u, n, c70);
    store(m + 7u, n + 4u, c71);
  }
}
