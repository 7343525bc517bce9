/**
 * Compiles the default kernels one after the other, in a process whose graphics driver prints what it makes of each; see
 * test/compilers.ts, which builds this into one file and reads what was printed.
 */
import { writeSync } from 'node:fs';
import { cnn, Gpu, type KernelSpec, mlp, Trainer } from '../../src/index.ts';
import { candidates, defaultOf } from '../../src/kernels/variants.ts';
import { FAMILIES } from '../../src/ops/tune.ts';

/** What families are compiled for: a middle layer of a network, in batches; the first layer has three channels. */
const EXTENTS: Readonly<Record<string, number>> = {
  ...{ M: 128, N: 1024, K: 1024, INTEGER: 0, GATED: 1, CHUNKS: 4 },
  ...{ BATCH: 8, HEIGHT: 28, WIDTH: 28, CHANNELS: 128, OUT_HEIGHT: 28, OUT_WIDTH: 28, OUT_CHANNELS: 128 },
  ...{ KERNEL_HEIGHT: 3, KERNEL_WIDTH: 3, STRIDE_Y: 1, STRIDE_X: 1, DILATION_Y: 1, DILATION_X: 1 },
  ...{ PAD_TOP: 1, PAD_LEFT: 1, GROUPS: 1, PAD_VALUE: 0, PADDED: 1 },
  ...{ LOWEST: -1, HIGHEST: 1, HAS_SCALE: 1, HAS_RESIDUAL: 0, HAS_SLOPE: 0 },
};
const FIRST_LAYER: Readonly<Record<string, Readonly<Record<string, number>>>> = { conv2d: { CHANNELS: 3 } };

interface Job {
  readonly kernel: KernelSpec;
  readonly constants: Readonly<Record<string, number>>;
  readonly isDefault: boolean;
}

/** Kernels of families: the default of this adapter, and the other tile of the same shader. */
function ofFamilies(gpu: Gpu): Job[] {
  return FAMILIES.flatMap((family) => {
    const [first] = family.variants;
    if (first === undefined) return [];
    const values = { ...EXTENTS, ...FIRST_LAYER[family.name] };
    const constants = Object.fromEntries(first.kernel.constants.map((name) => [name, values[name] ?? 0]));
    const chosen = defaultOf(family, constants, gpu);
    if (chosen === undefined) return [];
    const shader = ({ name, shader }: KernelSpec) => shader ?? name;
    return candidates(family, constants, gpu)
      .filter((kernel) => shader(kernel) === shader(chosen))
      .map((kernel) => ({ kernel, constants, isDefault: kernel === chosen }));
  });
}

/** Whatever else trainings of two networks dispatch. */
async function ofTrainings(gpu: Gpu): Promise<Job[]> {
  const jobs: Job[] = [];
  const compile = gpu.pipeline.bind(gpu);
  gpu.pipeline = (kernel, constants) => {
    jobs.push({ kernel, constants, isDefault: true });
    return compile(kernel, constants);
  };
  const split = { images: new Uint8Array(100 * 784), labels: new Uint8Array(100), count: 100 };
  for (const build of [mlp, cnn]) {
    const trainer = await Trainer.create(
      gpu,
      build({ input: [28, 28, 1], classes: 10 }),
      { name: 'none', image: [28, 28, 1], classes: [...'0123456789'], train: split, test: split },
      { batch: 100, epochs: 1 },
    );
    trainer.dispose();
  }
  return jobs;
}

const say = (what: unknown) => writeSync(2, `\n@@@ ${JSON.stringify(what)}\n`);

const [dawn = 'webgpu', only] = process.argv.slice(2);
const { create } = await import(dawn);
// Kept: devices don't outlive it.
const entry = create(['backend=vulkan', 'enable-dawn-features=allow_unsafe_apis']);
const gpu = await Gpu.request({ gpu: entry });
say({ adapter: gpu.adapter });
const jobs = ofFamilies(gpu);
if (only !== 'families') jobs.push(...(await ofTrainings(gpu)));
// Pipelines of another device are compiled anew.
const other = await Gpu.request({ gpu: entry });
const done = new Set<string>();
for (const { kernel, constants, isDefault } of jobs) {
  if (done.has(kernel.name)) continue;
  done.add(kernel.name);
  say({ kernel: kernel.name, isDefault });
  await other.pipeline(kernel, constants);
}
say({ end: entry !== undefined });
process.exit(0);
