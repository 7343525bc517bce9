/**
 * Tuning: where several kernels compute the same, a short measurement on this adapter says which is fastest for the
 * extents at hand. A kernel is taken only where its results are those of the default to the bit, on this adapter and for
 * these extents; so a choice changes how long something takes, and nothing else. Kernels that round sums otherwise, as those
 * of gradients on matrix units do, are measured too, and taken where that is asked for.
 */
import { GpuValidationError, listed, OptionError } from '../errors.ts';
import {
  type Choice,
  type Constants,
  type DType,
  type Gpu,
  type HostArrays,
  type KernelSpec,
  type Program,
  ProgramBuilder,
  type Shape,
  sizeOf,
  type Tensor,
  wordsFor,
} from '../gpu/index.ts';
import { BINARY_FORWARD, REAL_FORWARD } from '../kernels/conv.ts';
import {
  BINARY_GRAD_INPUT,
  BINARY_GRAD_WEIGHTS,
  REAL_GRAD_INPUT,
  REAL_GRAD_WEIGHTS,
} from '../kernels/conv-gradients.ts';
import { FUSED_REAL, FUSED_SIGNS } from '../kernels/fused.ts';
import {
  BINARY,
  BINARY_BY_SIDE,
  REAL,
  REAL_NT,
  REAL_TN,
  SIGN,
  SIGN_GRAD_INPUT,
  SIGN_GRAD_WEIGHTS,
} from '../kernels/gemm.ts';
import { GROUPED_F16, GROUPED_F32, GROUPED_I8 } from '../kernels/grouped.ts';
import { candidates, choiceKey, defaultOf, type Family } from '../kernels/variants.ts';
import { SEARCH } from '../kernels/vectors.ts';
import { pcg4d } from '../numerics/random.ts';
import { unknownName } from '../options.ts';

type AnyFamily = Family<KernelSpec, Constants>;

/** All families that there are. */
export const FAMILIES: readonly AnyFamily[] = [
  BINARY,
  BINARY_BY_SIDE,
  BINARY_FORWARD,
  BINARY_GRAD_INPUT,
  BINARY_GRAD_WEIGHTS,
  FUSED_REAL,
  FUSED_SIGNS,
  GROUPED_F16,
  GROUPED_F32,
  GROUPED_I8,
  REAL,
  REAL_FORWARD,
  REAL_GRAD_INPUT,
  REAL_GRAD_WEIGHTS,
  REAL_NT,
  REAL_TN,
  SEARCH,
  SIGN,
  SIGN_GRAD_INPUT,
  SIGN_GRAD_WEIGHTS,
];

/** What is measured, and which kernels may be chosen. */
export interface TuneOptions {
  /** Measures also what was measured before; what is pinned stays. */
  readonly again?: boolean | undefined;
  /**
   * Takes also kernels that round sums of floats otherwise than the default, where results agree to 1e-5 of the largest. A
   * choice then changes the last bits of gradients; which kernel ran is a matter of measurement.
   */
  readonly rounding?: boolean | undefined;
  /** Timed samples of each kernel; 5 when absent. */
  readonly samples?: number | undefined;
  /** Told of each choice as it is made. */
  readonly onChoice?: ((tuning: Tuning) => void) | undefined;
}

/** One choice, and what was not to be chosen. */
export interface Tuning extends Choice {
  /** Kernels whose results differ from the default's on this adapter, or that it doesn't compile. */
  readonly rejected: readonly string[];
  /** Kernels whose results are those of the default but for rounding; not to be chosen without `rounding`. */
  readonly rounded: readonly string[];
}

/**
 * Measures the kernels for whatever operations asked for on this device so far and nobody has chosen for: record the
 * programs in question (create a trainer, say), tune, and record them anew. The choices are kept where the device keeps them
 * (Node: a file in the cache folder; a browser: `localStorage`).
 * @returns what was chosen; nothing where only one kernel can run
 */
export async function tune(gpu: Gpu, options: TuneOptions = {}): Promise<Tuning[]> {
  const tunings: Tuning[] = [];
  for (const [key, { family, extents }] of [...gpu.choices.asked]) {
    const known = gpu.choices.get(key);
    if (known?.pinned === true || (known !== undefined && options.again !== true)) continue;
    const tuning = await tuneOne(gpu, familyNamed(family), extents, options);
    if (tuning === undefined) continue;
    const { kernel, pinned, measured } = tuning;
    gpu.choices.set({ key, kernel, pinned, ...(measured && { measured }) });
    tunings.push(tuning);
    options.onChoice?.(tuning);
  }
  if (tunings.length > 0) gpu.choices.save();
  return tunings;
}

/**
 * Chooses a kernel by name, whatever measurements say, and keeps the choice.
 * @param key family and extents, as `gpu.choices.list()` and `gpu.choices.asked` have them
 * @throws OptionError for a key that names no family, or a kernel that can't run there
 */
export function pinKernel(gpu: Gpu, key: string, kernel: string): void {
  const { family, extents } = parseKey(key);
  const names = candidates(family, extents, gpu).map(({ name }) => name);
  if (!names.includes(kernel)) {
    throw new OptionError('This kernel is not one of those that can run here.', {
      given: kernel,
      expected: names.join(', '),
      where: key,
    });
  }
  gpu.choices.pin(key, kernel);
  gpu.choices.save();
}

/**
 * Forgets choices, and keeps that.
 * @param key of the one to forget; all of this adapter when absent
 * @returns how many there were
 * @throws OptionError for a key that no choice has
 */
export function clearChoices(gpu: Gpu, key?: string): number {
  const { choices } = gpu;
  if (key !== undefined && choices.get(key) === undefined) {
    const keys = choices.list().map((choice) => choice.key);
    throw unknownName(
      'choice',
      key,
      keys.length === 0 ? ['none: this adapter has no choices'] : keys,
      'tune',
    );
  }
  const count = choices.clear(key);
  choices.save();
  return count;
}

function familyNamed(name: string): AnyFamily {
  const family = FAMILIES.find((one) => one.name === name);
  if (family === undefined) {
    throw new OptionError('There is no such family of kernels.', {
      given: name,
      expected: listed(FAMILIES.map((one) => one.name)),
    });
  }
  return family;
}

function parseKey(key: string): { family: AnyFamily; extents: Constants } {
  const [, name = '', list = ''] = /^([\w ]+)\((.*)\)$/.exec(key) ?? [];
  const family = familyNamed(name);
  const extents = Object.fromEntries(
    list.split(',').map((entry) => {
      const [constant = '', value = ''] = entry.split('=');
      return [constant, value === '' ? Number.NaN : Number(value)];
    }),
  );
  const needed = family.variants[0]?.kernel.constants ?? [];
  if (needed.some((constant) => !Number.isFinite(extents[constant])) || choiceKey(name, extents) !== key) {
    throw new OptionError("These extents aren't those of the family.", {
      given: key,
      expected: `${name}(${needed.map((constant) => `${constant}=...`).join(',')})`,
    });
  }
  return { family, extents };
}

interface Entrant {
  readonly kernel: KernelSpec;
  readonly program: Program;
  readonly times: number[];
}

async function tuneOne(
  gpu: Gpu,
  family: AnyFamily,
  extents: Constants,
  { samples = 5, rounding = false }: TuneOptions,
): Promise<Tuning | undefined> {
  const first = defaultOf(family, extents, gpu);
  const others = candidates(family, extents, gpu).filter((kernel) => kernel !== first);
  // The general kernels are for what nothing else takes; large extents would take them long.
  const rivals = others.filter((kernel) => kernel !== family.general);
  if (first === undefined || rivals.length === 0) return undefined;

  const owned: { dispose(): void }[] = [];
  try {
    const operands = Object.entries(family.operands(extents));
    const where = choiceKey(family.name, extents);
    const allocate = (name: string, shape: Shape, dtype: DType, data?: ReturnType<typeof noise>) => {
      const tensor = gpu.tensor(`tuning ${name}`, shape, dtype, data);
      owned.push(tensor);
      return tensor;
    };
    // What a kernel writes is the result, whatever its binding is called.
    const written = Object.entries(first.bindings).find(([, access]) => access === 'write')?.[0] ?? 'out';
    const { tensors, out } = await gpu.scoped(where, () => {
      const made = operands.map(([name, { shape, dtype }], i) => [
        name,
        allocate(name, shape, dtype, name === written ? undefined : noise(shape, dtype, i)),
      ]);
      const tensors: Record<string, Tensor> = Object.fromEntries(made);
      return { tensors, out: tensors[written] };
    });
    if (out === undefined) return undefined;
    const rejected: string[] = [];
    const rounded: string[] = [];
    const entrants: Entrant[] = [];
    let expected: Uint32Array<ArrayBuffer> | undefined;
    for (const kernel of [first, ...rivals]) {
      if (!(await compiles(gpu, kernel, extents))) {
        rejected.push(kernel.name);
        continue;
      }
      const builder = new ProgramBuilder(gpu, `tuning ${kernel.name}`);
      builder.dispatch(kernel, tensors, extents);
      const program = await builder.compile();
      owned.push(program);
      // Not what the kernel before it left there.
      gpu.writeBytes(out, new Uint8Array(out.byteLength));
      await gpu.scoped(kernel.name, () => program.run());
      const words = new Uint32Array(await gpu.readBytes(out));
      expected ??= words;
      const same = words.every((word, i) => word === expected?.[i]);
      if (!same && !family.exact && isClose(words, expected)) rounded.push(kernel.name);
      if (same || rounded.includes(kernel.name)) entrants.push({ kernel, program, times: [] });
      else rejected.push(kernel.name);
    }
    return { ...(await fastest(gpu, where, first, entrants, rounded, { samples, rounding })), rejected };
  } finally {
    for (const thing of owned.reverse()) thing.dispose();
  }
}

/**
 * Whether this device compiles a kernel. A compiler that refuses it refuses it twice; what fails once is the device's fault,
 * and anything else than a refusal is thrown.
 */
async function compiles(gpu: Gpu, kernel: KernelSpec, extents: Constants): Promise<boolean> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      await gpu.pipeline(kernel, extents);
      return true;
    } catch (error) {
      if (!(error instanceof GpuValidationError)) throw error;
    }
  }
  return false;
}

async function fastest(
  gpu: Gpu,
  key: string,
  first: KernelSpec,
  entrants: readonly Entrant[],
  rounded: readonly string[],
  { samples, rounding }: { readonly samples: number; readonly rounding: boolean },
): Promise<Omit<Tuning, 'rejected'>> {
  // In turn, so that what else the machine does hits all alike.
  for (let i = 0; i < samples; i++) {
    for (const { program, times } of entrants) {
      times.push(await timeOf(gpu, program));
    }
  }
  const measured = Object.fromEntries(entrants.map(({ kernel, times }) => [kernel.name, median(times)]));
  const [best = first.name] = Object.keys(measured)
    .filter((name) => rounding || !rounded.includes(name))
    .sort((a, b) => (measured[a] ?? 0) - (measured[b] ?? 0));
  return { key, kernel: best, pinned: false, measured, rounded };
}

/** Whether two results that are floats agree to 1e-5 of the largest. */
function isClose(words: Uint32Array<ArrayBuffer>, expected: Uint32Array<ArrayBuffer>): boolean {
  const floats = new Float32Array(words.buffer);
  const others = new Float32Array(expected.buffer);
  const largest = others.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return floats.every((value, i) => Math.abs(value - (others[i] ?? Number.NaN)) <= 1e-5 * largest);
}

/** Milliseconds of one run, from as many as take long enough for the host's clock. */
async function timeOf(gpu: Gpu, program: Program): Promise<number> {
  for (let runs = 1; ; runs *= 4) {
    const start = performance.now();
    await gpu.scoped(program.label, () => program.run(runs));
    await gpu.finished();
    const time = performance.now() - start;
    if (time >= 2 || runs >= 256) return time / runs;
  }
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

/** Operands that look random and are the same every time; tail bits are 0. */
function noise(shape: Shape, dtype: DType, stream: number): HostArrays[DType] {
  const wordAt = (i: number) => pcg4d(i, stream, 0, 0)[0];
  if (dtype === 'f32') return Float32Array.from({ length: sizeOf(shape) }, (_, i) => wordAt(i) / 2 ** 31 - 1);
  if (dtype === 'i32') return Int32Array.from({ length: sizeOf(shape) }, (_, i) => wordAt(i) % 64);
  if (dtype === 'u8') return Uint8Array.from({ length: sizeOf(shape) }, (_, i) => wordAt(i));
  // From 1/2 to 1, of either sign.
  if (dtype === 'f16')
    return Uint16Array.from({ length: sizeOf(shape) }, (_, i) => (wordAt(i) & 0x83ff) | 0x3800);
  if (dtype !== 'bits') return Uint32Array.from({ length: sizeOf(shape) }, (_, i) => wordAt(i));
  const channels = shape.at(-1) ?? 1;
  const words = wordsFor(channels);
  const tail = 0xffffffff >>> (32 * words - channels);
  const count = (sizeOf(shape) / channels) * words;
  return Uint32Array.from({ length: count }, (_, i) => wordAt(i) & (i % words === words - 1 ? tail : -1));
}
