/** Values one by one: clamps, slopes, arithmetic of two tensors, shares, and quantization to a few levels. */
import { defineKernel, linearWorkgroups } from '../gpu/index.ts';

const shaders = () => import('../../shaders/others.ts');

const each = ({ SIZE }: { readonly SIZE: number }) => linearWorkgroups(SIZE, 64);

/** x between LOW and HIGH. */
export const clamp = defineKernel({
  name: 'pointwise/clamp',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: ['SIZE', 'LOW', 'HIGH'],
  workgroups: each,
});

/** Gradient of `clamp`. */
export const clampGrad = defineKernel({
  name: 'pointwise/clamp_grad',
  source: shaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: ['SIZE', 'LOW', 'HIGH'],
  workgroups: each,
});

/** x, times its channel's slope below zero. */
export const prelu = defineKernel({
  name: 'pointwise/prelu',
  source: shaders,
  bindings: { x: 'read', alpha: 'read', y: 'write' },
  constants: ['SIZE', 'CHANNELS'],
  workgroups: each,
});

/** Gradient of `prelu`, and the terms of its slopes' gradients. */
export const preluGrad = defineKernel({
  name: 'pointwise/prelu_grad',
  source: shaders,
  bindings: { g: 'read', x: 'read', alpha: 'read', grad_x: 'write', terms: 'write' },
  constants: ['SIZE', 'CHANNELS'],
  workgroups: each,
});

/** x, times one of two slopes of its channel. */
export const slopes = defineKernel({
  name: 'pointwise/slopes',
  source: shaders,
  bindings: { x: 'read', above: 'read', below: 'read', y: 'write' },
  constants: ['SIZE', 'CHANNELS'],
  workgroups: each,
});

/** Gradient of `slopes`, and the terms of its slopes' gradients. */
export const slopesGrad = defineKernel({
  name: 'pointwise/slopes_grad',
  source: shaders,
  bindings: {
    ...({ g: 'read', x: 'read', above: 'read', below: 'read' } as const),
    ...({ grad_x: 'write', terms_above: 'write', terms_below: 'write' } as const),
  },
  constants: ['SIZE', 'CHANNELS'],
  workgroups: each,
});

/** A function of single values: one of the curves of `src/numerics/curves.ts`. */
export const curve = defineKernel({
  name: 'pointwise/curve',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: ['SIZE', 'KIND', 'ALPHA'],
  workgroups: each,
});

/** Gradient of `curve`. */
export const curveGrad = defineKernel({
  name: 'pointwise/curve_grad',
  source: shaders,
  bindings: { g: 'read', x: 'read', out: 'write' },
  constants: ['SIZE', 'KIND', 'ALPHA'],
  workgroups: each,
});

/** a + b, a − b, a·b, a/b, the lesser or the greater, with broadcasting. */
export const combine = defineKernel({
  name: 'pointwise/combine',
  source: shaders,
  bindings: { a: 'read', b: 'read', out: 'write' },
  constants: [
    ...(['SIZE', 'EXTENT_1', 'EXTENT_2', 'EXTENT_3', 'EXTENT_4', 'KIND'] as const),
    ...(['A_STRIDE_0', 'A_STRIDE_1', 'A_STRIDE_2', 'A_STRIDE_3', 'A_STRIDE_4'] as const),
    ...(['B_STRIDE_0', 'B_STRIDE_1', 'B_STRIDE_2', 'B_STRIDE_3', 'B_STRIDE_4'] as const),
  ],
  workgroups: each,
});

/** f32 [ROWS, CHANNELS] to shares of each row. */
export const softmax = defineKernel({
  name: 'pointwise/softmax',
  source: shaders,
  bindings: { x: 'read', y: 'write' },
  constants: ['ROWS', 'CHANNELS'],
  workgroups: ({ ROWS }) => linearWorkgroups(ROWS, 64),
});

/** How many of its channel's thresholds a value reaches. */
export const multiThreshold = defineKernel({
  name: 'pointwise/multi_threshold',
  source: shaders,
  bindings: { x: 'read', thresholds: 'read', y: 'write' },
  constants: ['SIZE', 'CHANNELS', 'LEVELS'],
  workgroups: each,
});

/** Values to a uniform grid. */
export const quantize = defineKernel({
  name: 'pointwise/quantize',
  source: shaders,
  bindings: { x: 'read', scale: 'read', zero_point: 'read', y: 'write' },
  constants: ['SIZE', 'CHANNELS', 'LOW', 'HIGH', 'ROUNDING', 'INTEGERS'],
  workgroups: each,
});

/** The mean of the sign of a normal number. */
export const expectedSign = defineKernel({
  name: 'pointwise/expected_sign',
  source: shaders,
  bindings: { mean: 'read', variance: 'read', y: 'write' },
  constants: ['SIZE'],
  workgroups: each,
});

/** Gradients of `expectedSign`. */
export const expectedSignGrad = defineKernel({
  name: 'pointwise/expected_sign_grad',
  source: shaders,
  bindings: { g: 'read', mean: 'read', variance: 'read', grad_mean: 'write', grad_variance: 'write' },
  constants: ['SIZE'],
  workgroups: each,
});
