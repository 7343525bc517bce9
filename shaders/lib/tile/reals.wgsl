// The body of the products whose left operand is [M, K]: one invocation makes 8 rows x 8 columns in registers (4 columns in the smaller
// tile): each value it loads is used 8 times. N and K are multiples of 4; M is any. It needs, of the kernel that includes it:
//   a: array<vec4f>, f32 [M, K]
//   out: array<vec4f>, f32 [M, N]
//   block(k, n): the other operand at four k and four columns of the product; beyond the last four columns these again
//   times(block, values): four sums of a row, of its values at four k
//!needs a, block, K, M, N, out, times
//!include "lib/tile/row.wgsl"
//!include "lib/tile/sums.wgsl"

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
    c00 += times(b0, a0);
    c01 += times(b1, a0);
    let a1 = a[row1 + k / 4u];
    c10 += times(b0, a1);
    c11 += times(b1, a1);
    let a2 = a[row2 + k / 4u];
    c20 += times(b0, a2);
    c21 += times(b1, a2);
    let a3 = a[row3 + k / 4u];
    c30 += times(b0, a3);
    c31 += times(b1, a3);
    let a4 = a[row4 + k / 4u];
    c40 += times(b0, a4);
    c41 += times(b1, a4);
    let a5 = a[row5 + k / 4u];
    c50 += times(b0, a5);
    c51 += times(b1, a5);
    let a6 = a[row6 + k / 4u];
    c60 += times(b0, a6);
    c61 += times(b1, a6);
    let a7 = a[row7 + k / 4u];
    c70 += times(b0, a7);
    c71 += times(b1, a7);
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
