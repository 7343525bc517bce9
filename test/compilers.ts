/**
 * What real compilers make of the default kernels, on a machine without a GPU: Mesa's drivers, on its drm-shims, which pretend to
 * be the kernel's half of a driver. It writes `docs/results/compilers.md`. `WEBGPU_BNN_SHIMS` names the folder of the shims, and
 * Mesa's drivers are installed; how to have both is in that file.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundledPage } from './helpers/bundled-page.ts';
import { type Compiled, type Dialect, readAmd, readIntel, readNvidia } from './helpers/compiled.ts';

const ROOT = join(import.meta.dirname, '..');
const SHIMS = process.env.WEBGPU_BNN_SHIMS;
const DRIVERS = '/usr/share/vulkan/icd.d';

interface Chip {
  readonly name: string;
  readonly dialect: Dialect;
  readonly shim: string;
  readonly driver: string;
  readonly env: Readonly<Record<string, string>>;
  /** Compiles kernels of families only, where the driver takes long to print. */
  readonly only?: 'families';
}

const amd = (name: string, id: string): Chip => ({
  name: `AMD ${name}, by ACO`,
  dialect: readAmd,
  shim: 'libamdgpu_noop_drm_shim.so',
  driver: 'radeon_icd.json',
  env: { AMDGPU_GPU_ID: id, RADV_DEBUG: 'shaders,shaderstats' },
});
const intel = (name: string, id: string): Chip => ({
  name: `Intel ${name}, by brw`,
  dialect: readIntel,
  shim: 'libintel_noop_drm_shim.so',
  driver: 'intel_icd.json',
  env: { INTEL_STUB_GPU_PLATFORM: id, INTEL_DEBUG: 'cs' },
});
const CHIPS: readonly Chip[] = [
  intel('Arc (DG2)', 'dg2'),
  intel('Tiger Lake', 'tgl'),
  intel('Lunar Lake', 'lnl'),
  amd('RDNA 3 (Navi 31)', 'navi31'),
  amd('RDNA 2 (Navi 21)', 'navi21'),
  amd('Vega 10', 'vega10'),
  {
    name: 'NVIDIA Ampere (GA102), by NAK',
    dialect: readNvidia,
    shim: 'libnouveau_noop_drm_shim.so',
    driver: 'nouveau_icd.json',
    env: { NOUVEAU_CHIPSET: '172', NAK_DEBUG: 'print' },
    only: 'families',
  },
];

/** What a process prints, line by line; what it says of a kernel stands after a line that names it. */
async function compile(chip: Chip, script: string): Promise<{ adapter: string; kernels: Compiled[] }> {
  const child = spawn(
    process.execPath,
    [script, join(ROOT, 'node_modules/webgpu/index.js'), chip.only ?? ''],
    {
      env: {
        ...process.env,
        ...chip.env,
        MESA_SHADER_CACHE_DISABLE: 'true',
        VK_DRIVER_FILES: join(DRIVERS, chip.driver),
        LD_PRELOAD: join(SHIMS ?? '', chip.shim),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let adapter = '';
  let ended = false;
  let lines: string[] = [];
  let job: { kernel: string; isDefault: boolean } | undefined;
  const kernels: Compiled[] = [];
  const finish = () => {
    if (job !== undefined)
      kernels.push({ name: job.kernel, isDefault: job.isDefault, ...chip.dialect(lines) });
    lines = [];
  };
  const take = (line: string) => {
    if (!line.startsWith('@@@ ')) {
      if (job !== undefined) lines.push(line);
      return;
    }
    finish();
    const said = JSON.parse(line.slice(4));
    if (said.adapter !== undefined) adapter = said.adapter.name;
    if (said.end === true) ended = true;
    job = said.kernel === undefined ? undefined : said;
  };
  // RADV and NAK print to one, marks and the others go to the other.
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('latin1').on('data', (text: string) => {
      const parts = `${rest}${text}`.split('\n');
      rest = parts.pop() ?? '';
      parts.forEach(take);
    });
  }
  await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  expect(ended, 'the process came to its end').toBe(true);
  return { adapter, kernels };
}

describe.skipIf(SHIMS === undefined)('compilers', () => {
  let folder = '';
  const sections: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn-compilers-'));
    writeFileSync(join(folder, 'compile.mjs'), await bundledPage('compilers', [/^node:/, 'webgpu']));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
    if (sections.length > 0) writeFileSync(FILE, [HEAD(), ...sections].join('\n'));
  });

  test.each(CHIPS)('$name', async (chip) => {
    expect(existsSync(join(SHIMS ?? '', chip.shim)), chip.shim).toBe(true);
    const { adapter, kernels } = await compile(chip, join(folder, 'compile.mjs'));
    // Something was printed of each, or else the driver prints otherwise than is read here.
    expect(kernels.length).toBeGreaterThan(20);
    expect(kernels.filter(({ instructions }) => instructions === 0).map(({ name }) => name)).toEqual([]);
    sections.push(tableOf(chip, adapter, kernels));
  });
});

const FILE = join(ROOT, 'docs', 'results', 'compilers.md');

function tableOf(chip: Chip, adapter: string, kernels: readonly Compiled[]): string {
  const rows = [...kernels]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, isDefault, registers, spills, instructions, main }) =>
      [
        '',
        `\`${name}\`${isDefault ? '' : ' (not the default here)'}`,
        registers,
        spills,
        instructions,
        main === undefined ? '' : `${(main.instructions / main.useful).toFixed(2)} a ${main.unit}`,
        '',
      ].join(' | '),
    );
  return [
    `## ${chip.name}`,
    '',
    `As the driver names it: ${adapter}. Of its kernels ${kernels.filter(({ spills, isDefault }) => isDefault && spills > 0).length} defaults spill.`,
    '',
    '| kernel | registers | spills | instructions | in the block that does most of the work |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows.map((row) => row.trim()),
    '',
  ].join('\n');
}

const HEAD = () => `# What compilers make of the kernels

Counts of instructions, made by compilers: **no measurement**. Nothing ran. Mesa's compilers for three makers' GPUs compiled what
Dawn makes of the default kernels, with Dawn's defaults (robust access, as in a browser), on a machine without a GPU; they are not
the compilers of Windows, macOS or NVIDIA's own driver. ${new Date().toISOString().slice(0, 10)}, by

\`\`\`sh
WEBGPU_BNN_SHIMS=/path/to/shims npm run compilers
\`\`\`

- The drivers are Mesa's as distributions have them (\`mesa-vulkan-drivers\`). The shims are three small libraries of Mesa's source:
  \`meson setup build -Dtools=drm-shim,intel -Dvulkan-drivers= -Dgallium-drivers=r300,nouveau,crocus\`, then
  \`ninja -C build src/amd/drm-shim/libamdgpu_noop_drm_shim.so src/nouveau/drm-shim/libnouveau_noop_drm_shim.so
  src/intel/tools/libintel_noop_drm_shim.so\`. They may be of an older version than the drivers (here 25.0.7); AMD's then must say
  that it is of kernel 6.6 or newer (\`shim_device.version_minor\`).
- *Registers*: of an invocation. Intel's compiler says none: it has 128 registers of 32 bytes (64 on Lunar Lake) for 16 invocations
  (32), which is 64 an invocation. *Spills*: registers that are put into memory and taken back for want of room; for Intel, the
  instructions that put.
- The last column: of the basic block with most population counts or multiplications, all instructions for each of these. A word is
  32 signs. Kernels without either have none.
- Families are compiled for M = 128, N = K = 1024, and for 3 x 3 windows of 28 x 28 pixels and 128 channels (a first layer: 3), 8
  images; the rest as trainings of \`mlp\` and \`cnn\` ask for it. The name that ends in \`_4x8\` is the smaller tile.
`;
