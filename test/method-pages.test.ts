/** Pages of methods: every one that is shipped has one, drawn from its twin, and the command prints it. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ABOUT } from '../src/methods/about.ts';
import { type DescribedMethod, describeMethod } from '../src/methods/describe.ts';
import {
  AUGMENTATION_NAMES,
  AUGMENTATIONS,
  LOSSES,
  OPTIMIZERS,
  PENALTIES,
  QUANTIZERS,
} from '../src/methods/index.ts';
import { METHODS, methodByName } from '../src/methods/table.ts';
import { methodText } from '../src/reports/methods.ts';
import { bump } from './guest/methods.ts';
import { buildCli, runCli } from './helpers/cli.ts';

const all = Object.keys(METHODS).map((name) => methodByName(name));

describe('pages of methods', () => {
  test('a name is of one method, and each has a few words of its own', () => {
    const tables = [QUANTIZERS, OPTIMIZERS, PENALTIES, LOSSES];
    const names = tables.flatMap((table) => Object.keys(table));
    expect(names.length).toBeGreaterThanOrEqual(26);
    expect(new Set(names).size).toBe(names.length);
    expect(Object.keys(ABOUT).sort()).toEqual([...names].sort());
    expect(new Set(Object.values(ABOUT)).size).toBe(names.length);
    expect(Object.values(ABOUT).filter((text) => text.length > 110 || text.endsWith('.'))).toEqual([]);
  });

  test.each(all.map((method) => [method.name, method] as const))(
    '%s says its formula, its source, its numbers, and draws its functions',
    (name, method) => {
      const page = describeMethod(method);
      expect(page).toMatchObject({ name, kind: method.kind, about: ABOUT[name] ?? method.definition.about });
      expect(page.formula.length).toBeGreaterThan(0);
      // A paper has a year; what is the field's own way has whose semantics it is.
      expect(page.source).toMatch(/\b(19|20)\d\d\b|Keras|Larq|inferred|Boolean/);
      expect(page.parameters.map((parameter) => parameter.name)).toEqual(Object.keys(method.parameters));
      for (const { value, says } of page.parameters) {
        expect(value).not.toBe('');
        expect(says).not.toBe('');
      }
      expect(page.figures.length).toBeGreaterThan(0);
      for (const { series } of page.figures) {
        expect(series.length).toBeGreaterThan(0);
        for (const { points } of series) {
          expect(points.length).toBeGreaterThan(100);
          expect(points.flat().every(Number.isFinite)).toBe(true);
        }
      }
      // Something moves: no figure is of constants alone.
      const ys = page.figures.flatMap(({ series }) =>
        series.flatMap(({ points }) => points.map(([, y]) => y)),
      );
      expect(new Set(ys).size).toBeGreaterThan(1);
      expect(methodText(page)).toContain(page.formula);
    },
  );

  test('augmentations have pages, too, and their names are no others', () => {
    expect(AUGMENTATION_NAMES.filter((name) => Object.hasOwn(METHODS, name))).toEqual([]);
    for (const make of Object.values(AUGMENTATIONS)) {
      const page = describeMethod(make());
      expect(page.kind).toBe('augmentation');
      expect(page.notes).toHaveLength(1);
      expect(methodText(page)).toContain(page.formula);
    }
    const [figure] = describeMethod(AUGMENTATIONS.scale({ amount: 0.5 })).figures;
    expect(figure?.series[0]?.points[0]).toEqual([expect.closeTo(-14 * 0.55, 9), expect.closeTo(0, 9)]);
    expect(describeMethod(AUGMENTATIONS.flip()).figures).toEqual([]);
  });

  test('what is drawn is what the twin says', () => {
    const drawn = (method: DescribedMethod, figure: number, line: number, x: number) =>
      describeMethod(method).figures[figure]?.series[line]?.points.find(
        ([at]) => Math.abs(at - x) < 1e-9,
      )?.[1];
    expect(drawn(QUANTIZERS.approxSign(), 1, 0, 0.5)).toBeCloseTo(1, 12);
    expect(drawn(QUANTIZERS.approxSign(), 0, 1, 0.5)).toBeCloseTo(0.75, 12);
    expect(drawn(QUANTIZERS.doReFa(), 0, 0, 0.4)).toBeCloseTo(1 / 3, 12);
    // Of 201 evenly spaced values in [-2, 2] the mean magnitude is 202 · 2 / 402 less what the middle takes.
    expect(drawn(QUANTIZERS.magnitudeAwareSign(), 0, 0, 1)).toBeCloseTo((2 * 101 * 0.01 * 100) / 201, 10);
    expect(drawn(PENALTIES.towardsSigns({ strength: 1 }), 0, 0, 0)).toBeCloseTo(1, 12);
    expect(drawn(LOSSES.squaredHinge(), 0, 0, 0)).toBeCloseTo(1, 12);
    // Adam's step is the rate while the gradient keeps its sign.
    expect(drawn(OPTIMIZERS.adam(), 0, 0, 1)).toBeCloseTo(0.48, 6);
    // Bop's first average, γ g, exceeds its threshold.
    expect(drawn(OPTIMIZERS.bop(), 0, 0, 1)).toBe(-1);
  });

  test("a guest's method has a page, and its formula where it says nothing else", () => {
    const page = describeMethod(bump({ width: 2 }));
    expect(page).toMatchObject({ name: 'acmeBump', about: page.formula, source: 'a guest', link: undefined });
    expect(page.parameters).toEqual([
      { name: 'width', value: '2', bounds: 'more than 0', says: 'half width of the window' },
    ]);
  });
});

describe('webgpu-bnn methods', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
  });

  test('lists all of them, prints the page of one, and writes one file with their plots', async () => {
    const list = await runCli(cli, ['methods']);
    expect(list).toMatchObject({ code: 0, stderr: '' });
    for (const { name } of all) expect(list.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    expect(list.stdout).toContain('Qin et al. 2020 (IR-Net)');
    for (const name of AUGMENTATION_NAMES) expect(list.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    const turned = await runCli(cli, ['methods', 'rotate']);
    expect(turned.stdout).toContain('degrees = 10 (0 or more and 90 or less): the largest angle');
    expect(turned.stdout).toContain('Where pixels come from');

    const { stdout: help } = await runCli(cli, ['methods', '--help']);
    for (const kind of ['quantizer', 'optimizer', 'penalty', 'loss', 'augmentation'])
      expect(help).toMatch(new RegExp(`list a\\s+kind:[\\s\\S]*\\b${kind}\\b`));

    const losses = await runCli(cli, ['methods', 'losses']);
    expect(losses.stdout).toMatch(/^Losses\n/);
    expect(losses.stdout).not.toMatch(/irNet/);
    const penalties = await runCli(cli, ['methods', 'penalty', '--json']);
    expect(JSON.parse(penalties.stdout).map(({ kind }: { kind: string }) => kind)).toContain('penalty');

    const html = join(await mkdtemp(join(tmpdir(), 'methods of mine ')), 'page.html');
    const one = await runCli(cli, ['methods', 'irNet', '--html', html]);
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(one.stdout).toContain('https://arxiv.org/abs/1909.10788');
    expect(one.stdout).toContain('steepness = 0.001 to 10, exponential (a schedule)');
    expect(one.stdout).toContain('* at the start   o half-way   + at the end');
    const page = await readFile(html, 'utf8');
    expect(page.match(/<svg /g)).toHaveLength(2);
    expect(page).toContain('steepness');

    const json = await runCli(cli, ['methods', 'bop', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'bop', kind: 'optimizer' });
  });

  test('an unknown name is refused, with the nearest one', async () => {
    const { code, stderr } = await runCli(cli, ['methods', 'irnett']);
    expect(code).toBe(2);
    expect(stderr).toContain('did you mean irNet?');
  });
});
