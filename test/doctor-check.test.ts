/** `doctor --check my-method.js`, from the built command line on files: what is right, and all that may be wrong. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Finding } from '../src/cli/finding.ts';
import { buildCli, runCli } from './helpers/cli.ts';

let cli = '';
let entry = '';
const folder = mkdtempSync(join(tmpdir(), 'my methods '));
beforeAll(async () => {
  cli = await buildCli();
  entry = pathToFileURL(join(dirname(cli), 'methods.js')).href;
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const written = (code: string) => {
  const path = join(folder, `mine ${files++}.mjs`);
  writeFileSync(path, code.replace("'webgpu-bnn/methods'", JSON.stringify(entry)));
  return path;
};

const IMPORT = `import { defineLoss, defineOptimizer, definePenalty, defineQuantizer, defineSource } from 'webgpu-bnn/methods';\n`;
const QUANTIZER = `name: 'cubic', formula: '(1 - x²)³', source: 'this test',
  wgsl: 'fn gradient(x: f32) -> f32 { let y = max(0.0, 1.0 - x * x); return y * y * y; }',
  gradient: (x) => Math.max(0, 1 - x * x) ** 3`;
const LOSS = `name: 'cubicHinge', formula: 'max(0, 1 - t o)³', source: 'this test',
  wgsl: \`fn row_loss(row: Row) -> f32 {
    var loss = 0.0;
    for (var c = 0u; c < OUTPUTS; c++) {
      let side = 2.0 * wanted(row, c) - 1.0;
      let margin = max(0.0, 1.0 - side * output(row, c));
      loss += margin * margin * margin;
      set_gradient(row, c, -3.0 * side * margin * margin / row.rows);
    }
    return loss;
  }\`,
  twin({ outputs, wanted }) {
    const sides = wanted.map((t) => 2 * t - 1);
    const margins = outputs.map((o, c) => Math.max(0, 1 - sides[c] * o));
    return { loss: margins.reduce((sum, m) => sum + m ** 3, 0), gradient: margins.map((m, c) => -3 * sides[c] * m ** 2) };
  }`;
const SOURCE = `count: 100, dtype: 'u8', identity: 'x', read(samples, { images, labels }) {
  samples.forEach((sample, row) => { images[row] = sample; labels[row] = sample % 2; });
}`;

async function check(
  code: string,
): Promise<{ code: number | null; findings: Finding[]; stderr: string; text: string }> {
  const path = written(IMPORT + code);
  const json = await runCli(cli, ['doctor', '--check', path, '--adapter', 'software', '--json']);
  const findings = json.stdout === '' ? [] : (JSON.parse(json.stdout) as { findings: Finding[] }).findings;
  return { code: json.code, findings, stderr: json.stderr, text: JSON.stringify(findings) };
}

describe('what is right', () => {
  test('factories, objects, lists and streams, each once, in words and as JSON', async () => {
    const path = written(`${IMPORT}
      export const cubic = defineQuantizer({ ${QUANTIZER} });
      export default cubic;
      const cubicHinge = defineLoss({ ${LOSS} });
      export const list = [cubicHinge({})];
      export const stream = defineSource({ ${SOURCE} });
      export const other = 3;
    `);
    const { code, stdout, stderr } = await runCli(cli, ['doctor', '--check', path, '--adapter', 'software']);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/ok {3}quantizer cubic +\d{3,} numbers are those of its twin/);
    expect(stdout).toMatch(/ok {3}loss cubicHinge +\d{3,} numbers/);
    expect(stdout).toMatch(/ok {3}source stream +16 of 100 samples/);
    expect(stdout.match(/^ok/gm)?.length).toBe(3);
    expect(stdout).toMatch(/verdict +All that it exports is right/);
    expect(code).toBe(0);
  });
});

describe('what is wrong names the object, the member and what is expected', () => {
  test.each<[string, string, RegExp]>([
    [
      'a gradient that is not that of its twin',
      `export const a = defineQuantizer({ ${QUANTIZER.replace('** 3', '** 2')} });`,
      /quantizer cubic[\s\S]*gradient/,
    ],
    [
      'WGSL that does not compile',
      `export const a = defineQuantizer({ ${QUANTIZER.replace('let y = max', 'let y = most')} });`,
      /cubic[\s\S]*most/,
    ],
    [
      'the name of a shipped method',
      `export const a = defineQuantizer({ ${QUANTIZER.replace("'cubic'", "'steSign'")} });`,
      /name is taken[\s\S]*quantizer steSign/,
    ],
    [
      'one name twice',
      `export const a = defineQuantizer({ ${QUANTIZER} });\nexport const b = defineQuantizer({ ${QUANTIZER} });`,
      /name is taken[\s\S]*name of its own/,
    ],
    [
      'a stream that draws anew',
      `export const a = defineSource({ ${SOURCE.replace('= sample;', '= 256 * Math.random();')} });`,
      /source a[\s\S]*images\[\d+\][\s\S]*same content/,
    ],
    [
      'a stream that fails',
      `export const a = defineSource({ ${SOURCE.replace('samples.forEach', 'nothing.forEach')} });`,
      /source a[\s\S]*nothing is not defined/,
    ],
  ])('%s', async (_, code, words) => {
    const result = await check(code);
    expect(result.stderr).toBe('');
    expect(result.text).toMatch(words);
    expect(result.findings.filter(({ ok }) => !ok).length).toBe(1);
    expect(result.code).toBe(1);
  });

  test.each<[string, string, RegExp]>([
    [
      'no gradient',
      `export const a = defineQuantizer({ ${QUANTIZER.replace('gradient: (x)', 'slope: (x)')} });`,
      /quantizer cubic[\s\S]*gradient: undefined[\s\S]*float64 twin/,
    ],
    [
      'no WGSL',
      `export const a = defineQuantizer({ ${QUANTIZER.replace('wgsl:', 'glsl:')} });`,
      /quantizer cubic[\s\S]*fn gradient\(x: f32\) -> f32/,
    ],
    [
      'no name',
      `export const a = defineQuantizer({ ${QUANTIZER.replace("name: 'cubic',", '')} });`,
      /name: undefined/,
    ],
    [
      'another signature',
      `export const a = defineQuantizer({ ${QUANTIZER.replace('x: f32) ->', 'x: f32, y: f32) ->')} });`,
      /quantizer cubic[\s\S]*fn gradient\(x: f32\) -> f32/,
    ],
    [
      'a loss without twin',
      `export const a = defineLoss({ ${LOSS.replace('twin(', 'twins(')} });`,
      /loss cubicHinge[\s\S]*twin: undefined/,
    ],
    ['no exports', '', /nothing to check[\s\S]*no exports[\s\S]*defineQuantizer/],
    ['other exports', 'export const batch = 3;', /nothing to check[\s\S]*batch/],
    ['a module that throws', 'throw new Error("on purpose");', /fails when it is loaded[\s\S]*on purpose/],
    ['a module that is no JavaScript', 'quantizer = {', /fails when it is loaded[\s\S]*SyntaxError/],
    ['a missing import', "import x from 'not-there'; export default x;", /not-there/],
  ])('%s is refused when it is loaded', async (_, code, words) => {
    const result = await check(code);
    expect(result.stderr).toMatch(words);
    expect(result.stderr).not.toMatch(/TypeError|^ +at /m);
    expect(result.code).toBe(2);
  });

  test('a path that leads nowhere', async () => {
    const { code, stderr } = await runCli(cli, [
      'doctor',
      '--check',
      join(folder, 'none.js'),
      '--adapter',
      'software',
    ]);
    expect(stderr).toMatch(/no such module[\s\S]*none\.js/);
    expect(code).toBe(1);
  });
});
