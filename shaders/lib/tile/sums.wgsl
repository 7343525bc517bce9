// How many sums an invocation keeps in registers: 64, or 32 (four by eight) for compilers that have few registers. Both tiles add
// in the same order. What only the larger one stores the smaller one adds up for nothing, which compilers leave out.
//!gives TILE_SUMS
override TILE_SUMS: u32 = 64u;
