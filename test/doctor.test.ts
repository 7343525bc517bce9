/** The doctor: a sound GPU, GPUs that compute wrong or fail half-way, and what a person then reads. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { doctorCommand, examine, examineGpu, render } from '../src/cli/doctor.ts';
import { EXIT } from '../src/cli/exit.ts';
import { NoAdapterError } from '../src/errors.ts';
import type { Tensor } from '../src/gpu/index.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { useGpu } from './helpers/gpu.ts';

vi.mock('../src/node/gpu.ts', async (original) => {
  const actual = await original<typeof import('../src/node/gpu.ts')>();
  return { ...actual, requestGpu: vi.fn(actual.requestGpu) };
});

const gpuOf = useGpu();

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

/** Changes one word of what comes back from the GPU. */
function corrupt(method: 'readWords' | 'read', at: number): void {
  const gpu = gpuOf();
  const intact: (tensor: Tensor) => Promise<unknown> = gpu[method].bind(gpu);
  vi.spyOn(gpu, method).mockImplementation(async (tensor: Tensor) => {
    const words = (await intact(tensor)) as Uint32Array<ArrayBuffer>;
    words[at] = (words[at] ?? 0) ^ 1;
    return words;
  });
}

describe('what the doctor finds', () => {
  test('a sound adapter: every probe, features and limits', async () => {
    const gpu = gpuOf();
    const report = await examineGpu(gpu);
    expect(report.findings.map(({ probe, ok }) => [probe, ok])).toEqual([
      ['adapter', true],
      ['timestamps', true],
      ['matrix units', true],
      ['packing', true],
      ['XNOR-popcount', true],
    ]);
    expect(report.verdict).toBe(gpu.adapter.software ? 'software' : 'healthy');
    expect(report.adapter?.software).toBe(gpu.adapter.software);
    expect(report.features).toEqual([...gpu.features].sort());
    expect(report.limits?.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
    expect(Object.values(report.limits ?? {}).every(Number.isSafeInteger)).toBe(true);
  });

  test('it leaves no GPU memory behind', async () => {
    const gpu = gpuOf();
    await examineGpu(gpu);
    const before = gpu.memory.bytes;
    for (let i = 0; i < 3; i++) await examineGpu(gpu);
    expect(gpu.memory.bytes).toBe(before);
  });

  test('one wrong bit of a packed word', async () => {
    corrupt('readWords', 5);
    const report = await examineGpu(gpuOf());
    expect(report.verdict).toBe('broken');
    const packing = report.findings.find(({ probe }) => probe === 'packing');
    expect(packing).toMatchObject({ ok: false });
    expect(packing?.finding).toContain('1 words are wrong');
    expect(packing?.remedy).toMatch(/driver/);
  });

  test('one wrong dot product', async () => {
    corrupt('read', 1516);
    const report = await examineGpu(gpuOf());
    expect(report.verdict).toBe('broken');
    const product = report.findings.find(({ probe }) => probe === 'XNOR-popcount');
    expect(product?.finding).toContain('1 dot products are wrong');
    expect(report.findings.find(({ probe }) => probe === 'packing')?.ok).toBe(true);
  });

  test('a GPU that is gone: found, not thrown', async () => {
    const gone = await requestGpu();
    gone.dispose();
    const report = await examineGpu(gone);
    expect(report.verdict).toBe('broken');
    const packing = report.findings.find(({ probe }) => probe === 'packing');
    expect(packing).toMatchObject({ ok: false });
    expect(packing?.finding).toMatch(/disposed/);
  });
});

test('a GPU that it acquires itself lives until it is examined, and not longer', async () => {
  const acquired = vi.mocked(requestGpu);
  const report = await examine({ adapter: 'auto' });
  expect(report.findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(report.verdict).toBe(gpuOf().adapter.software ? 'software' : 'healthy');
  const gpu = await acquired.mock.results.at(-1)?.value;
  expect(gpu.memory.bytes).toBe(0);
  expect(gpu.disposed).toBe(true);
});

describe('where there is no GPU', () => {
  const noAdapter = () =>
    vi
      .mocked(requestGpu)
      .mockRejectedValueOnce(
        new NoAdapterError('There is no adapter.', { given: 'nothing', remedy: 'install a driver' }),
      );

  test('the finding carries what was found and the remedy', async () => {
    noAdapter();
    expect(await examine({ adapter: 'auto' })).toEqual({
      verdict: 'broken',
      findings: [
        {
          probe: 'adapter',
          ok: false,
          finding: 'There is no adapter. nothing',
          remedy: 'install a driver',
        },
      ],
    });
  });

  test.each([[['--json']], [[]]])('the command with %j says so and sets the exit code', async (flags) => {
    noAdapter();
    const printed: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
    vi.spyOn(process.stdout, 'write').mockImplementation(((text: string, done?: () => void) => {
      printed.push(text);
      done?.();
      return true;
    }) as typeof process.stdout.write);
    await doctorCommand().parseAsync(flags, { from: 'user' });
    vi.restoreAllMocks();
    expect(process.exitCode).toBe(EXIT.noGpu);
    const text = printed.join('\n');
    if (flags.length > 0) expect(JSON.parse(text)).toMatchObject({ verdict: 'broken' });
    else expect(text).toMatch(/^BAD {2}adapter[\s\S]*remedy: install a driver[\s\S]*verdict/);
  });
});

describe('how it reads', () => {
  test('a sound machine', () => {
    expect(
      render({
        verdict: 'healthy',
        findings: [{ probe: 'adapter', ok: true, finding: 'Some GPU' }],
        features: ['subgroups', 'timestamp-query'],
        limits: { maxBufferSize: 1073741824 },
      }),
    ).toMatchInlineSnapshot(`
      "ok   adapter        Some GPU

      features  subgroups, timestamp-query
      limit     maxBufferSize = 1,073,741,824

      verdict   This machine trains binary networks on its GPU."
    `);
  });

  test('a broken one, of which nothing else is known', () => {
    expect(
      render({
        verdict: 'broken',
        findings: [{ probe: 'adapter', ok: false, finding: 'No driver.', remedy: 'install one' }],
      }),
    ).toMatchInlineSnapshot(`
      "BAD  adapter        No driver.
                          remedy: install one

      verdict   This machine can not be used as it is."
    `);
  });
});
