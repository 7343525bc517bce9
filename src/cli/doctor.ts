/** `webgpu-bnn doctor`: what GPU there is, whether it computes right, and what to do where it doesn't. */
import { Command } from 'commander';
import { BnnError, printable } from '../errors.ts';
import { type Gpu, ops, runOnce } from '../index.ts';
import { isFastSoftware } from '../node/gpu.ts';
import { packSigns } from '../numerics/pack.ts';
import { pcg4d } from '../numerics/random.ts';
import { binaryMatMul } from '../reference/matmul.ts';
import { EXIT } from './exit.ts';
import { type Finding, lines } from './finding.ts';
import { checkModule } from './method-check.ts';
import { type AdapterOptions, acquire, describeAdapter, jsonOption, withAdapter } from './options.ts';
import { emit, jsonText } from './output.ts';

interface Flags extends AdapterOptions {
  readonly json?: string;
  readonly check?: string;
}

export interface DoctorReport {
  readonly verdict: 'healthy' | 'software' | 'broken';
  readonly findings: readonly Finding[];
  readonly adapter?: Gpu['adapter'];
  readonly features?: readonly string[];
  readonly limits?: Readonly<Record<string, number>>;
}

/** Limits that decide what fits. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

export function doctorCommand(): Command {
  return withAdapter(new Command('doctor'))
    .description('say what GPU there is, and check that it computes right')
    .option(
      '--check <module>',
      "hold a JavaScript module's methods against their twins: quantizers, losses, ...",
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExit code: 0 where networks can be trained, 3 where not; with --check 0 where all is right, 1 where not.',
    )
    .action(async (flags: Flags) => {
      if (flags.check !== undefined) {
        await checkMethods(flags.check, flags);
        return;
      }
      const report = await examine(flags);
      await emit(jsonText(report, 2), flags.json);
      if (flags.json !== '-') console.log(render(report));
      if (report.verdict === 'broken') process.exitCode = EXIT.noGpu;
    });
}

async function checkMethods(path: string, flags: Flags): Promise<void> {
  using gpu = await acquire(flags);
  const findings = await checkModule(gpu, path);
  const ok = findings.every((finding) => finding.ok);
  await emit(jsonText({ module: path, ok, findings }, 2), flags.json);
  if (flags.json !== '-') {
    console.log(printable(lines(findings).join('\n')));
    console.log(`\nverdict   ${ok ? 'All that it exports is right.' : 'Something is not right.'}`);
  }
  if (!ok) process.exitCode = EXIT.failed;
}

/** Examines the adapter that `acquire` finds; never throws for what is wrong with it. */
export async function examine(options: AdapterOptions): Promise<DoctorReport> {
  let gpu: Gpu;
  try {
    gpu = await acquire(options);
  } catch (error) {
    return { verdict: 'broken', findings: [failure('adapter', error)] };
  }
  using _ = gpu;
  // Awaited here: the GPU must outlive its examination.
  return await examineGpu(gpu);
}

function remedyForSoftware({ adapter }: Gpu): string {
  const remedy = "it is right, but slow: a GPU needs its maker's driver installed";
  const faster = "; without a GPU, Mesa's software driver from version 26 on is the faster one";
  return isFastSoftware(adapter) || process.platform !== 'linux' ? remedy : remedy + faster;
}

function matricesOf({ adapter, features }: Gpu): string {
  if (!features.has('chromium-experimental-subgroup-matrix')) {
    return 'not offered; an experiment that --toggles allow_unsafe_apis asks for where there are any';
  }
  return adapter.matrices?.join(', ') || 'none for subgroups of a known size';
}

/** Examines a GPU by what it is and by what its kernels compute; never throws for what is wrong with it. */
export async function examineGpu(gpu: Gpu): Promise<DoctorReport> {
  const { software } = gpu.adapter;
  const findings: Finding[] = [
    {
      probe: 'adapter',
      ok: true,
      finding: describeAdapter(gpu),
      ...(software ? { remedy: remedyForSoftware(gpu) } : {}),
    },
    {
      probe: 'timestamps',
      ok: true,
      finding: gpu.features.has('timestamp-query')
        ? 'the GPU can time its own work'
        : 'not offered: times are wall times',
    },
    { probe: 'matrix units', ok: true, finding: matricesOf(gpu) },
    await probe('packing', () => probePacking(gpu)),
    await probe('XNOR-popcount', () => probeProduct(gpu)),
  ];
  const broken = findings.some(({ ok }) => !ok);
  return {
    verdict: broken ? 'broken' : software ? 'software' : 'healthy',
    findings,
    adapter: { ...gpu.adapter, name: describeAdapter(gpu) },
    features: [...gpu.features].sort(),
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
  };
}

export function render(report: DoctorReport): string {
  const details = [
    ...(report.features === undefined ? [] : [`features  ${report.features.join(', ')}`]),
    ...Object.entries(report.limits ?? {}).map(
      ([name, value]) => `limit     ${name} = ${value.toLocaleString('en-US')}`,
    ),
  ];
  const verdict = {
    healthy: 'This machine trains binary networks on its GPU.',
    software: 'This machine trains binary networks, in software: right, but slow.',
    broken: 'This machine can not be used as it is.',
  }[report.verdict];
  const parts = [lines(report.findings), details, [`verdict   ${verdict}`]].filter((part) => part.length > 0);
  return parts.map((part) => part.join('\n')).join('\n\n');
}

async function probe(name: string, check: () => Promise<string>): Promise<Finding> {
  try {
    return { probe: name, ok: true, finding: await check() };
  } catch (error) {
    return failure(name, error);
  }
}

function failure(name: string, error: unknown): Finding {
  const known = error instanceof BnnError;
  return {
    probe: name,
    ok: false,
    finding: known ? [error.what, error.given].filter(Boolean).join(' ') : String(error),
    remedy: (known ? error.remedy : undefined) ?? "update the GPU's driver, or try --adapter software",
  };
}

const ROWS = 37;
const COLUMNS = 41;
const DEPTH = 1000;

/** Seeded reals in [−1, 1). */
function noise(count: number, stream: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, i) => pcg4d(1, stream, i, 0)[0] / 2 ** 31 - 1);
}

async function probePacking(gpu: Gpu): Promise<string> {
  const values = noise(ROWS * DEPTH, 1);
  using x = gpu.tensor('doctor x', [ROWS, DEPTH], 'f32', values);
  using run = await runOnce(gpu, 'doctor packs', (builder) => builder.keep(ops.packSigns(builder, x)));
  const wrong = differences(await gpu.readWords(run.result), packSigns(values, ROWS, DEPTH));
  if (wrong > 0) throw new Error(`${wrong} words are wrong`);
  return `${ROWS} x ${DEPTH} signs, every bit right`;
}

async function probeProduct(gpu: Gpu): Promise<string> {
  const a = packSigns(noise(ROWS * DEPTH, 2), ROWS, DEPTH);
  const w = packSigns(noise(COLUMNS * DEPTH, 3), COLUMNS, DEPTH);
  using left = gpu.tensor('doctor a', [ROWS, DEPTH], 'bits', a);
  using right = gpu.tensor('doctor w', [COLUMNS, DEPTH], 'bits', w);
  using run = await runOnce(gpu, 'doctor multiplies', (builder) =>
    builder.keep(ops.binaryMatMul(builder, left, right, { dtype: 'i32' })),
  );
  const wrong = differences(
    await gpu.read(run.result),
    binaryMatMul(a, w, { m: ROWS, n: COLUMNS, k: DEPTH }),
  );
  if (wrong > 0) throw new Error(`${wrong} dot products are wrong`);
  return `${ROWS} x ${COLUMNS} dot products of ${DEPTH} signs, every one right`;
}

function differences(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let wrong = actual.length === expected.length ? 0 : 1;
  for (let i = 0; i < expected.length; i++) if (actual[i] !== expected[i]) wrong++;
  return wrong;
}
