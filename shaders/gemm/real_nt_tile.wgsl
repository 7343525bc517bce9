// Product of reals: out = a * transpose(c). One invocation makes 8 rows x 8 columns in registers (4 columns in the smaller
// tile): each value it loads is used 8 times. N and K are multiples of 4; M is any.
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // [M, K]
@group(0) @binding(1) var<storage, read> c: array<vec4f>; // [N, K]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [M, N]

// Column e: row n + e of c at four k. Rows of c beyond the last four repeat them, and aren't stored.
fn block(k: u32, n: u32) -> mat4x4f {
  let first = (min(n, N - 4u) * K + k) / 4u;
  return mat4x4f(c[first], c[first + K / 4u], c[first + 2u * (K / 4u)], c[first + 3u * (K / 4u)]);
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < M && column < N) {
    out[(row * N + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * (TILE_SUMS / 8u);
  let m = tile_row(id) * 8u;
  if (n >= N || m >= M) {
    return;
  }
  // Rows beyond the last one repeat it, and aren't stored.
  let row0 = m * K / 4u;
  let row1 = min(m + 1u, M - 1u) * K / 4u;
  let row2 = min(m + 2u, M - 1u) * K / 4u;
  let row3 = min(m + 3u, M - 1u) * K / 4u;
  let row4 = min(m + 4u, M - 1u) * K / 4u;
  let row5 = min(m + 5u, M - 1u) * K / 4u;
  let row6 = min(m + 6u, M - 1u) * K / 4u;
  let row7 = min(m + 7u, M - 1u) * K / 4u;

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
  for (var k = 0u; k < K; k += 4u) {
    let b0 = block(k, n);
    let b1 = block(k, n + 4u);
    let a0 = a[row0 + k / 4u];
    c00 += a0 * b0;
    c01 += a0 * b1;
    let a1 = a[row1 + k / 4u];
    c10 += a1 * b0;
    c11 += a1 * b1;
    let a2 = a[row2 + k / 4u];
    c20 += a2 * b0;
    c21 += a2 * b1;
    let a3 = a[row3 + k / 4u];
    c30 += a3 * b0;
    c31 += a3 * b1;
    let a4 = a[row4 + k / 4u];
    c40 += a4 * b0;
    c41 += a4 * b1;
    let a5 = a[row5 + k / 4u];
    c50 += a5 * b0;
    c51 += a5 * b1;
    let a6 = a[row6 + k / 4u];
    c60 += a6 * b0;
    c61 += a6 * b1;
    let a7 = a[row7 + k / 4u];
    c70 += a7 * b0;
    c71 += a7 * b1;
  }
  store(m, n, c00);
  store(m + 1u, n, c10);
  store(m + 2u, n, c20);
  store(m + 3u, n, c30);
  store(m + 4u, n, c40);
  store(m + 5u, n, c50);
  store(m + 6u, n, c60);
  store(m + 7u, n, c70);
  if (TILE_SUMS == 64u) {
    store(m, n + 4u, c01);
    store(m + 1u, n + 4u, c11);
    store(m + 2u, n + 4u, c21);
    store(m + 3u, n + 4u, c31);
    store(m + 4u, n + 4u, c41);
    store(m + 5u, n + 4u, c51);
    store(m + 6u, n + 4u, c61);
    store(m + 7u, n + 4u, c71);
  }
}
