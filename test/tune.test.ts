import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { OptionError } from '../src/errors.ts';
import {
  Choices,
  type Gpu,
  type KernelSpec,
  ProgramBuilder,
  parseChoices,
  storageOf,
} from '../src/gpu/index.ts';
import { loadShader } from '../src/gpu/kernel.ts';
import { BINARY_BY_SIDE, SIGN_GRAD_WEIGHTS } from '../src/kernels/gemm.ts';
import { candidates, choiceKey, choose } from '../src/kernels/variants.ts';
import { choicesFile } from '../src/node/choices.ts';
import { binaryMatMul, binaryMatMulGradWeights } from '../src/ops/dense.ts';
import { fusedBinaryMatMul } from '../src/ops/fused.ts';
import { clearChoices, pinKernel, type Tuning, tune } from '../src/ops/tune.ts';
import { Scratch, useGpu } from './helpers/gpu.ts';

const EXTENTS = { M: 32, N: 16, K: 70, INTEGER: 0 };
const KEY = 'binaryMatMulBySide(M=32,N=16,K=70,INTEGER=0)';

/** Records the product of `EXTENTS`, whoever computes it. */
function record(gpu: Gpu): void {
  using scratch = new Scratch(gpu);
  const a = scratch.tensor('a', [EXTENTS.M, EXTENTS.K], 'bits');
  const w = scratch.tensor('w', [EXTENTS.N, EXTENTS.K], 'bits');
  binaryMatMul(new ProgramBuilder(gpu, 'asking'), a, w);
}

describe('tuning', () => {
  const gpu = useGpu();
  const kept: string[] = [];

  // Not in the cache of whoever runs the tests.
  beforeEach(() => {
    kept.length = 0;
    gpu().choices.keepIn({ read: () => null, write: (_, text) => void kept.push(text) }, 'test');
    gpu().choices.clear();
  });

  test('what an operation asks for is measured once, and recorded from then on', async () => {
    const { choices } = gpu();
    record(gpu());
    expect(choices.asked.get(KEY)).toEqual({ family: 'binaryMatMulBySide', extents: EXTENTS });
    const told: string[] = [];
    const made = await tune(gpu(), { samples: 1, onChoice: ({ key }) => told.push(key) });
    expect(told).toContain(KEY);
    const tuning = made.find(({ key }) => key === KEY);
    const names = candidates(BINARY_BY_SIDE, EXTENTS, gpu()).map(({ name }) => name);
    expect(Object.keys(tuning?.measured ?? {}).sort()).toEqual([...names].sort());
    expect(tuning?.rejected).toEqual([]);
    const times = Object.values(tuning?.measured ?? {});
    expect(tuning?.measured?.[tuning.kernel]).toBe(Math.min(...times));
    expect(choose(BINARY_BY_SIDE, EXTENTS, gpu())?.name).toBe(tuning?.kernel);
    expect(parseChoices(kept.at(-1) ?? null)).toEqual(choices.list());
    expect(await tune(gpu(), { samples: 1 })).toEqual([]);
  });

  test('a kernel that rounds sums otherwise is measured, and chosen only where that is asked for', async () => {
    const { variants } = SIGN_GRAD_WEIGHTS;
    const { kernel } = variants[0] ?? expect.fail('no kernel');
    const text = await loadShader(kernel as unknown as KernelSpec);
    /** The first kernel of the family with results that are off by a factor. */
    const off = (name: string, factor: string) => {
      const source = text.replace(/= sums;/, `= ${factor} * sums;`);
      expect(source).not.toBe(text);
      return { kernel: { ...kernel, name, source }, canApply: () => true };
    };
    const known = variants.length;
    const list = variants as (typeof variants)[number][];
    list.push(off('gemm/rounds', '1.000001'), off('gemm/errs', '1.001'));
    try {
      using scratch = new Scratch(gpu());
      const g = scratch.tensor('g', [64, 16], 'f32');
      const a = scratch.tensor('a', [64, 128], 'bits');
      binaryMatMulGradWeights(new ProgramBuilder(gpu(), 'asking'), g, a);
      const find = (made: readonly Tuning[]) =>
        made.find(({ key }) => key === 'binaryMatMulGradWeights(M=64,N=16,K=128)');
      const strict = find(await tune(gpu(), { samples: 1 }));
      expect(strict?.rejected).toEqual(['gemm/errs']);
      expect(strict?.rounded).toContain('gemm/rounds');
      expect(strict?.measured).toHaveProperty(['gemm/rounds']);
      expect(strict?.rounded).not.toContain(strict?.kernel);
      const free = find(await tune(gpu(), { samples: 1, again: true, rounding: true }));
      expect(free?.measured?.[free.kernel]).toBe(Math.min(...Object.values(free?.measured ?? {})));
    } finally {
      list.length = known;
    }
  });

  test('a pinned kernel runs, and measurements leave it alone', async () => {
    const { choices } = gpu();
    record(gpu());
    pinKernel(gpu(), KEY, 'gemm/binary_carry_ones');
    expect(choose(BINARY_BY_SIDE, EXTENTS, gpu())?.name).toBe('gemm/binary_carry_ones');
    await tune(gpu(), { samples: 1, again: true });
    expect(choices.get(KEY)).toEqual({ key: KEY, kernel: 'gemm/binary_carry_ones', pinned: true });
    expect(choices.clear(KEY)).toBe(1);
    expect(choices.find(KEY)).toBeUndefined();
  });

  test('a choice to forget is named right, or refused with those that there are', () => {
    expect(() => clearChoices(gpu(), KEY)).toThrow(/no choices/);
    pinKernel(gpu(), KEY, 'gemm/binary_carry_ones');
    expect(() => clearChoices(gpu(), 'binaryMatMulBySide(M=32,N=16,K=71,INTEGER=0)')).toThrow(
      `did you mean ${KEY}?`,
    );
    expect(clearChoices(gpu(), KEY)).toBe(1);
    pinKernel(gpu(), KEY, 'gemm/binary_carry_ones');
    expect(clearChoices(gpu())).toBe(1);
    expect(parseChoices(kept.at(-1) ?? null)).toEqual([]);
  });

  test('the fused families are measured, pinned and forgotten by their keys like the others', async () => {
    const { choices } = gpu();
    using scratch = new Scratch(gpu());
    const a = scratch.tensor('a', [64, 64], 'bits');
    const w = scratch.tensor('w', [32, 64], 'bits');
    const channels = (name: string) => scratch.tensor(name, [32], 'f32');
    const b = new ProgramBuilder(gpu(), 'asking');
    const [direction, threshold] = [channels('direction'), channels('threshold')];
    fusedBinaryMatMul(b, a, w, { epilogue: { output: 'signs', direction, threshold } });
    fusedBinaryMatMul(b, a, w, { epilogue: { output: 'real' } });
    const fused = () => [...choices.asked.keys()].filter((key) => key.startsWith('fused'));
    expect(fused().map((key) => key.slice(0, key.indexOf('(')))).toEqual([
      'fusedBinaryConv2d to signs',
      'fusedBinaryConv2d to reals',
    ]);
    const made = await tune(gpu(), { samples: 1 });
    for (const key of fused()) {
      const kernel = key.includes('signs') ? 'conv/fused_signs_tile' : 'conv/fused_real_tile';
      if (gpu().features.has('subgroups')) expect(made.find((one) => one.key === key)?.rejected).toEqual([]);
      pinKernel(gpu(), key, kernel);
      expect(choices.get(key)).toEqual({ key, kernel, pinned: true });
      expect(clearChoices(gpu(), key)).toBe(1);
    }
  });

  test('a choice that this device knows nothing of is passed over', () => {
    const untouched = choose(BINARY_BY_SIDE, EXTENTS, gpu())?.name;
    gpu().choices.pin(KEY, 'gemm/of_another_version');
    expect(choose(BINARY_BY_SIDE, EXTENTS, gpu())?.name).toBe(untouched);
  });

  test('pins that can not be are refused, with what can', () => {
    const pin = (key: string, kernel: string) => () => pinKernel(gpu(), key, kernel);
    expect(pin(KEY, 'gemm/none')).toThrow(/gemm\/binary_columns/);
    expect(pin('noFamily(M=1)', 'gemm/binary')).toThrow(/binaryConv2d/);
    expect(pin('binaryMatMulBySide(M=32,N=16)', 'gemm/binary_columns')).toThrow(OptionError);
    expect(pin('binaryMatMulBySide(M=32,N=16,K=,INTEGER=0)', 'gemm/binary_columns')).toThrow(OptionError);
    expect(pin(choiceKey('binaryMatMulBySide', { ...EXTENTS, N: 15 }), 'gemm/binary_columns')).toThrow(
      OptionError,
    );
  });
});

describe('where choices are kept', () => {
  const choice = {
    key: KEY,
    kernel: 'gemm/binary_columns',
    pinned: false,
    measured: { 'gemm/binary_columns': 1 },
  };

  test('a file of Node, by adapter', () => {
    const folder = mkdtempSync(join(tmpdir(), 'choices-'));
    try {
      const first = new Choices();
      first.keepIn(choicesFile(folder), 'adapter 1');
      first.set(choice);
      first.save();
      const other = new Choices();
      other.keepIn(choicesFile(folder), 'adapter 2');
      expect(other.list()).toEqual([]);
      other.pin('b', 'kernel');
      other.save();
      const again = new Choices();
      again.keepIn(choicesFile(folder), 'adapter 1');
      expect(again.list()).toEqual([choice]);
      const path = join(folder, 'choices.json');
      expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')))).toEqual(['adapter 1', 'adapter 2']);
      writeFileSync(path, '{"adapter 1": [');
      const damaged = new Choices();
      damaged.keepIn(choicesFile(folder), 'adapter 1');
      expect(damaged.list()).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a folder that can not be made keeps nothing, and is no error', () => {
    const folder = mkdtempSync(join(tmpdir(), 'choices-'));
    try {
      writeFileSync(join(folder, 'file'), '');
      const choices = new Choices();
      choices.keepIn(choicesFile(join(folder, 'file', 'below')), 'adapter');
      choices.set(choice);
      choices.save();
      expect(choices.find(KEY)).toBe('gemm/binary_columns');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a browser's storage, also one that refuses", () => {
    const items = new Map<string, string>();
    const storage = {
      getItem: (name: string) => items.get(name) ?? null,
      setItem: (name: string, text: string) => void items.set(name, text),
    };
    const choices = new Choices();
    choices.keepIn(
      storageOf(() => storage),
      'adapter',
    );
    choices.set(choice);
    choices.save();
    expect([...items.keys()]).toEqual(['webgpu-bnn choices: adapter']);
    const again = new Choices();
    again.keepIn(
      storageOf(() => storage),
      'adapter',
    );
    expect(again.list()).toEqual([choice]);
    const closed = new Choices();
    closed.keepIn(
      storageOf(() => {
        throw new Error('closed');
      }),
      'adapter',
    );
    closed.set(choice);
    closed.save();
    expect(closed.list()).toEqual([choice]);
  });

  test('damaged lists lose their damaged entries only', () => {
    expect(parseChoices(null)).toEqual([]);
    expect(parseChoices('{')).toEqual([]);
    expect(parseChoices('{}')).toEqual([]);
    const list = [null, 1, {}, { ...choice, kernel: 1 }, { ...choice, measured: { a: 'b' } }, choice];
    expect(parseChoices(JSON.stringify(list))).toEqual([choice]);
  });
});
