// Stores a tile of four rows of sixteen columns, or of eight rows of four. It needs
//   store(row, column, sums): takes the sums of four columns
//!needs store
//!gives store_sums
//!include "lib/tile/sums.wgsl"

// Names are those of rows, and of fours of columns.
fn store_sums(
  row: u32, column: u32,
  c00: vec4f, c01: vec4f, c02: vec4f, c03: vec4f,
  c10: vec4f, c11: vec4f, c12: vec4f, c13: vec4f,
  c20: vec4f, c21: vec4f, c22: vec4f, c23: vec4f,
  c30: vec4f, c31: vec4f, c32: vec4f, c33: vec4f,
  c40: vec4f, c50: vec4f, c60: vec4f, c70: vec4f,
) {
  store(row, column, c00);
  store(row + 1u, column, c10);
  store(row + 2u, column, c20);
  store(row + 3u, column, c30);
  if (TILE_SUMS == 64u) {
    store(row, column + 4u, c01);
    store(row, column + 8u, c02);
    store(row, column + 12u, c03);
    store(row + 1u, column + 4u, c11);
    store(row + 1u, column + 8u, c12);
    store(row + 1u, column + 12u, c13);
    store(row + 2u, column + 4u, c21);
    store(row + 2u, column + 8u, c22);
    store(row + 2u, column + 12u, c23);
    store(row + 3u, column + 4u, c31);
    store(row + 3u, column + 8u, c32);
    store(row + 3u, column + 12u, c33);
  } else {
    store(row + 4u, column, c40);
    store(row + 5u, column, c50);
    store(row + 6u, column, c60);
    store(row + 7u, column, c70);
  }
}
