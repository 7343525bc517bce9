// Product of reals: out = transpose(a) * c. One invocation makes 8 rows x 8 columns in registers, adding the outer products
// of four rows of the operands at a time: each value it loads is used 8 times. M and N are multiples of 4; K is any.

override M: u32;
override N: u32;
override K: u32;

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // [K, M]
@group(0) @binding(1) var<storage, read> c: array<vec4f>; // [K, N]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // [M, N]

// Column r: row m + r of the transpose at k to k + 3; 0 beyond K. Rows beyond the last four repeat them, and aren't stored.
fn rows_of_a(k: u32, m: u32) -> mat4x4f {
  let column = min(m, M - 4u);
  return transpose(mat4x4f(
    a[(k * M + column) / 4u],
    select(vec4f(), a[(min(k + 1u, K - 1u) * M + column) / 4u], k + 1u < K),
    select(vec4f(), a[(min(k + 2u, K - 1u) * M + column) / 4u], k + 2u < K),
    select(vec4f(), a[(min(k + 3u, K - 1u) * M + column) / 4u], k + 3u < K),
  ));
}

// Column e: row k + e of c at four columns. Rows beyond the last one repeat it: their factor is 0.
fn rows_of_c(k: u32, n: u32) -> mat4x4f {
  let column = min(n, N - 4u);
  return mat4x4f(
    c[(k * N + column) / 4u],
    c[(min(k + 1u, K - 1u) * N + column) / 4u],
    c[(min(k + 2u, K - 1u) * N + column) / 4u],
    c[(min(k + 3u, K - 1u) * N + column) / 4u],
  );
}

fn store(row: u32, column: u32, sums: vec4f) {
  if (row < M && column < N) {
    out[(row * N + column) / 4u] = sums;
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let n = id.x * 8u;
  let m = id.y * 8u;
  if (n >= N || m >= M) {
    return;
  }
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
    let c0 = rows_of_c(k, n);
    let c1 = rows_of_c(k, n + 4u);
    let upper = rows_of_a(k, m);
    c00 += c0 * upper[0];
    c01 += c1 * upper[0];
    c10 += c0 * upper[1];
    c11 += c1 * upper[1];
    c20 += c0 * upper[2];
    c21 += c1 * upper[2];
    c30 += c0 * upper[3];
    c31 += c1 * upper[3];
    let lower = rows_of_a(k, m + 4u);
    c40 += c0 * lower[0];
    c41 += c1 * lower[0];
    c50 += c0 * lower[1];
    c51 += c1 * lower[1];
    c60 += c0 * lower[2];
    c61 += c1 * lower[2];
    c70 += c0 * lower[3];
    c71 += c1 * lower[3];
  }
  store(m, n, c00);
  store(m, n + 4u, c01);
  store(m + 1u, n, c10);
  store(m + 1u, n + 4u, c11);
  store(m + 2u, n, c20);
  store(m + 2u, n + 4u, c21);
  store(m + 3u, n, c30);
  store(m + 3u, n + 4u, c31);
  store(m + 4u, n, c40);
  store(m + 4u, n + 4u, c41);
  store(m + 5u, n, c50);
  store(m + 5u, n + 4u, c51);
  store(m + 6u, n, c60);
  store(m + 6u, n + 4u, c61);
  store(m + 7u, n, c70);
  store(m + 7u, n + 4u, c71);
}
