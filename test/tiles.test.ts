/** Which tile of a family is the default, by what an adapter says of itself; that both are right is in the grids of the operations. */
import { expect, test } from 'vitest';
import type { Constants, KernelSpec } from '../src/gpu/index.ts';
import { type Abilities, candidates, defaultOf, type Family } from '../src/kernels/variants.ts';
import { FAMILIES, pinKernel } from '../src/ops/tune.ts';
import { described, useGpu } from './helpers/gpu.ts';

const gpu = useGpu();

/** Extents that all tiles take. */
const EXTENTS: Constants = {
  ...{ M: 64, N: 64, K: 64, GATED: 1, CHUNKS: 1, PAD_VALUE: 0, GROUPS: 1 },
  ...{ BATCH: 1, HEIGHT: 8, WIDTH: 8, CHANNELS: 32, OUT_HEIGHT: 8, OUT_WIDTH: 8, OUT_CHANNELS: 32 },
  ...{ KERNEL_HEIGHT: 3, KERNEL_WIDTH: 3, STRIDE_Y: 1, STRIDE_X: 1, DILATION_Y: 1, DILATION_X: 1 },
  ...{ PAD_TOP: 1, PAD_LEFT: 1 },
};

const extentsOf = ({ variants }: Family<KernelSpec, Constants>) =>
  Object.fromEntries((variants[0]?.kernel.constants ?? []).map((name) => [name, EXTENTS[name] ?? 0]));
const isSmall = ({ name }: { readonly name: string }) => name.endsWith('_4x8');
const tiled = FAMILIES.filter(({ variants }) => variants.some(({ kernel }) => isSmall(kernel)));

test('every family whose tile holds 64 sums has one of 32', () => {
  expect(tiled.map(({ name }) => name).sort()).toEqual([
    'binaryConv2dGradInput',
    'binaryConv2dGradWeights',
    'binaryMatMulGradInput',
    'binaryMatMulGradWeights',
    'conv2d',
    'conv2dGradInput',
    'conv2dGradWeights',
    'matMul',
    'matMul by transposed',
    'matMul of transposed',
    'signMatMul',
  ]);
});

test.each([
  ['Intel Arc', { vendor: 'intel', architecture: 'gen-12hp', subgroupMinSize: 8, subgroupMaxSize: 32 }, true],
  [
    'Lunar Lake',
    { vendor: 'intel', architecture: 'xe-2lpg', subgroupMinSize: 16, subgroupMaxSize: 32 },
    true,
  ],
  ['a Mali', { vendor: 'arm', architecture: 'valhall', subgroupMinSize: 16, subgroupMaxSize: 16 }, true],
  ['RDNA 3', { vendor: 'amd', architecture: 'rdna-3', subgroupMinSize: 32, subgroupMaxSize: 64 }, false],
  ['Ampere', { vendor: 'nvidia', architecture: 'ampere', subgroupMinSize: 32, subgroupMaxSize: 32 }, false],
  ['Apple', { vendor: 'apple', architecture: 'metal-3', subgroupMinSize: 32, subgroupMaxSize: 32 }, false],
  ['a browser that says nothing', {}, false],
  ['SwiftShader', { description: 'SwiftShader driver', subgroupMinSize: 4, subgroupMaxSize: 4 }, false],
  ['llvmpipe', { description: 'llvmpipe (LLVM 22)', subgroupMinSize: 8, subgroupMaxSize: 8 }, false],
  ['any software', { isFallbackAdapter: true, subgroupMinSize: 8, subgroupMaxSize: 8 }, false],
])('the smaller tile is the default by what it takes: %s', (_, adapterInfo, small) => {
  // Without subgroups none of the other variants is a default.
  const device: Abilities = described(gpu().device, { adapterInfo, features: new Set() });
  for (const family of tiled) {
    const extents = extentsOf(family);
    const chosen = defaultOf(family, extents, device);
    expect(chosen?.name, family.name).toMatch(small ? /_tile_4x8$/ : /_tile$/);
    // Either can be chosen by measurement, or pinned.
    const able = candidates(family, extents, device).map(({ name }) => name.replace(/_4x8$/, ''));
    expect(able.filter((name) => name === chosen?.name.replace(/_4x8$/, ''))).toHaveLength(2);
  }
});

test('a smaller tile can be pinned', () => {
  const { choices } = gpu();
  choices.keepIn({ read: () => null, write: () => undefined }, 'test');
  const key = 'matMul(M=64,N=64,K=64)';
  pinKernel(gpu(), key, 'gemm/real_tile_4x8');
  expect(choices.find(key)).toBe('gemm/real_tile_4x8');
  choices.clear(key);
});
