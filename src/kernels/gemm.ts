/**
 * Matrix products: packed signs times packed signs, reals times packed signs, reals times reals, and what their
 * gradients need. M, N, K name the extents of the forward product [M, K] x [N, K] -> [M, N] throughout, in the gradients
 * too.
 */
import binarySource from '../../shaders/gemm/binary.wgsl';
import realSource from '../../shaders/gemm/real.wgsl';
import signSource from '../../shaders/gemm/sign.wgsl';
import signGradInputSource from '../../shaders/gemm/sign_grad_input.wgsl';
import signGradWeightsSource from '../../shaders/gemm/sign_grad_weights.wgsl';
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

/** bits [M, K] x bits [N, K] to i32 or f32 [M, N], any shape. */
export const binary = defineKernel({
  name: 'gemm/binary',
  source: binarySource,
  bindings: { a: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'INTEGER'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

/** f32 [M, K] x bits [N, K] to f32 [M, N], any shape. */
export const sign = defineKernel({
  name: 'gemm/sign',
  source: signSource,
  bindings: { x: 'read', w: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});

/** f32 [M, N] x bits [N, K] to f32 [M, K], gated, any shape. */
export const signGradInput = defineKernel({
  name: 'gemm/sign_grad_input',
  source: signGradInputSource,
  bindings: { g: 'read', w: 'read', gate: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'GATED'],
  workgroups: ({ M, K }) => linearWorkgroups(M * K, 64),
});

/** Transposed f32 [M, N] x bits [M, K] to f32 [N, K], any shape. */
export const signGradWeights = defineKernel({
  name: 'gemm/sign_grad_weights',
  source: signGradWeightsSource,
  bindings: { g: 'read', a: 'read', out: 'write' },
  constants: ['M', 'N', 'K'],
  workgroups: ({ N, K }) => linearWorkgroups(N * K, 64),
});

/** f32 x f32 to f32 [M, N], any shape, either operand transposed. */
export const real = defineKernel({
  name: 'gemm/real',
  source: realSource,
  bindings: { a: 'read', c: 'read', out: 'write' },
  constants: ['M', 'N', 'K', 'TRANSPOSE_A', 'TRANSPOSE_B'],
  workgroups: ({ M, N }) => linearWorkgroups(M * N, 64),
});
