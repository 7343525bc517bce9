/** Index files of vectors, by the built command line on files of a folder whose name has a space. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOOPS, pinLoop } from '../src/cpu/loops.ts';
import { searchInWasm } from '../src/cpu/search.ts';
import { FormatError, OptionError, ShapeError } from '../src/errors.ts';
import { encodeSafetensors } from '../src/formats/safetensors.ts';
import { VectorIndexFile, writeVectorIndex } from '../src/node/vector-files.ts';
import { normal, pcg4d } from '../src/numerics/random.ts';
import * as reference from '../src/reference/vectors.ts';
import { bindWords, searchWords } from '../src/vectors/words.ts';
import { damage } from './helpers/attack.ts';
import { buildCli, runCli } from './helpers/cli.ts';
import { expectSame } from './helpers/gpu.ts';

const folder = mkdtempSync(join(tmpdir(), 'webgpu-bnn vectors '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);

/** An `.npy` file as NumPy writes it. */
function npy(values: Float32Array, shape: readonly number[], order = 'False'): Uint8Array {
  const header = `{'descr': '<f4', 'fortran_order': ${order}, 'shape': (${shape.join(', ')}), }`;
  const padded = `${header.padEnd(117)}\n`;
  const head = new Uint8Array([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, padded.length, 0]);
  return Buffer.concat([head, new TextEncoder().encode(padded), new Uint8Array(values.buffer)]);
}

const [CLUSTERS, EACH, DIMS, ASKED, WANTED] = [100, 20, 200, 100, 10];
const COUNT = CLUSTERS * EACH;
/** Gaussian clusters around Gaussian centres, off the origin. */
const rows = (count: number, stream: number) =>
  Float32Array.from({ length: count * DIMS }, (_, i) => {
    const cluster = Math.floor(i / DIMS) % CLUSTERS;
    return 0.5 + normal(1, cluster, i % DIMS) + 0.5 * normal(stream, 7, i);
  });
const keys = rows(COUNT, 2);
const queries = rows(ASKED, 3);

/** The nearest by cosine of what is centred, in double precision. */
function exact(): number[][] {
  const mean = Float64Array.from({ length: DIMS }, (_, d) => {
    let sum = 0;
    for (let row = 0; row < COUNT; row++) sum += keys[row * DIMS + d] ?? 0;
    return sum / COUNT;
  });
  return Array.from({ length: ASKED }, (_, query) => {
    const scored = Array.from({ length: COUNT }, (__, key): [number, number] => {
      let [dot, length] = [0, 0];
      for (let d = 0; d < DIMS; d++) {
        const value = (keys[key * DIMS + d] ?? 0) - (mean[d] ?? 0);
        dot += value * ((queries[query * DIMS + d] ?? 0) - (mean[d] ?? 0));
        length += value * value;
      }
      return [dot / Math.sqrt(length), key];
    });
    return scored
      .sort(([a], [b]) => b - a)
      .slice(0, WANTED)
      .map(([, key]) => key);
  });
}

const recall = (found: readonly (readonly number[])[], truth: readonly (readonly number[])[]) =>
  found.flatMap((list, query) => list.filter((key) => truth[query]?.includes(key))).length / (ASKED * WANTED);

describe('vectors index and search', () => {
  let cli = '';
  beforeAll(async () => {
    cli = await buildCli();
    writeFileSync(at('keys.npy'), npy(keys, [COUNT, DIMS]));
    writeFileSync(at('queries.npy'), npy(queries, [ASKED, DIMS]));
    writeFileSync(
      at('keys.safetensors'),
      encodeSafetensors({
        embeddings: { dtype: 'F32', shape: [COUNT, DIMS], data: keys },
        bias: { dtype: 'F32', shape: [1], data: new Float32Array(1) },
      }),
    );
  });

  test('a NumPy array and a safetensors file give one index; GPU and processor find the same in it', async () => {
    for (const name of ['keys.npy', 'keys.safetensors']) {
      const made = await runCli(cli, ['vectors', 'index', at(name), '--out', at(`${name}.index`), '--int8']);
      expect(made.stderr).toBe('');
      expect(made.code).toBe(0);
      expect(made.stdout).toContain(`${COUNT} vectors of ${DIMS} dimensions`);
    }
    expect(readFileSync(at('keys.npy.index')).equals(readFileSync(at('keys.safetensors.index')))).toBe(true);
    const ask = async (...more: string[]) => {
      const args = ['vectors', 'search', at('keys.npy.index'), '--queries', at('queries.npy')];
      const { code, stdout, stderr } = await runCli(cli, [...args, '--json=-', ...more]);
      expect([code, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as { keys: number[][]; scores: number[][]; size: number; bits: number };
    };
    const [gpu, wasm] = [await ask('-k', '10', '--engine', 'gpu'), await ask('-k', '10')];
    expect(gpu).toEqual(wasm);
    expect([gpu.size, gpu.bits, gpu.keys.length, gpu.keys[0]?.length]).toEqual([COUNT, DIMS, ASKED, WANTED]);
    const truth = exact();
    const again = await ask('-k', '10', '--engine', 'wasm', '--rescore');
    console.log(
      `recall@10 of ${COUNT} keys of ${DIMS} dimensions: ${recall(gpu.keys, truth)} by signs, ${recall(again.keys, truth)} with bytes`,
    );
    // By chance a key of the right cluster is one of the ten with 1/2.
    expect(recall(gpu.keys, truth)).toBeGreaterThan(0.55);
    expect(recall(again.keys, truth)).toBeGreaterThan(0.95);
  });

  test('four times as many as are wanted are scored again, more than a GPU finds at once', async () => {
    const index = await VectorIndexFile.open(at('keys.npy.index'));
    const again = await index.search(queries, 64, { rescore: true });
    const bySigns = await index.search(queries, 64);
    await index.close();
    const beyond = again.keys.flatMap((list, query) =>
      list.filter((key) => !bySigns.keys[query]?.includes(key)),
    );
    expect(beyond.length).toBeGreaterThan(0);
  });

  test('queries of several pieces are answered as one by one', async () => {
    // 16 MiB are read at once.
    const many = 22_000;
    const all = new Float32Array(many * DIMS);
    for (let row = 0; row < many; row++) {
      const source = (row * 7) % ASKED;
      all.set(queries.subarray(source * DIMS, (source + 1) * DIMS), row * DIMS);
    }
    expect(all.byteLength).toBeGreaterThan(2 ** 24);
    writeFileSync(at('many.npy'), npy(all, [many, DIMS]));
    const few = await runCli(cli, ['vectors', 'index', at('queries.npy'), '--out', at('few.index')]);
    expect([few.code, few.stderr]).toEqual([0, '']);
    const ask = async (name: string) => {
      const args = [
        'vectors',
        'search',
        at('few.index'),
        '--queries',
        at(name),
        '-k',
        '2',
        '--engine',
        'wasm',
      ];
      const { code, stdout, stderr } = await runCli(cli, [...args, '--json=-']);
      expect([code, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as { keys: number[][]; scores: number[][] };
    };
    const [one, other] = [await ask('queries.npy'), await ask('many.npy')];
    const expected = (lists: number[][]) =>
      Array.from({ length: many }, (_, row) => lists[(row * 7) % ASKED] ?? []).flat();
    expectSame(other.keys.flat(), expected(one.keys), 'keys');
    expectSame(other.scores.flat(), expected(one.scores), 'scores');
  });

  test('a key with bits behind its last one is refused by every engine', async () => {
    const bits = 40;
    writeFileSync(
      at('tail.index'),
      encodeSafetensors(
        {
          mean: { dtype: 'F32', shape: [bits], data: new Float32Array(bits) },
          keys: { dtype: 'U32', shape: [2, 2], data: Uint32Array.of(1, 255, 2, 256) },
        },
        { kind: 'webgpu-bnn vector index', version: '1', bits: `${bits}` },
      ),
    );
    writeFileSync(at('forty.npy'), npy(new Float32Array(bits), [1, bits]));
    const args = ['vectors', 'search', at('tail.index'), '--queries', at('forty.npy'), '-k', '1'];
    for (const engine of ['wasm', 'gpu']) {
      const { code, stderr } = await runCli(cli, [...args, '--engine', engine]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/FormatError: A key has bits behind its last one[\s\S]*key 1/);
    }
  });

  test('nothing is overwritten unasked, nor half written', async () => {
    const before = readdirSync(folder);
    const taken = await runCli(cli, ['vectors', 'index', at('queries.npy'), '--out', at('keys.npy.index')]);
    expect(taken.code).not.toBe(0);
    expect(taken.stderr).toMatch(/There is a file of this name already/);
    const bad = queries.slice();
    bad[5 * DIMS + 3] = Number.NaN;
    writeFileSync(at('bad.npy'), npy(bad, [ASKED, DIMS]));
    const refused = await runCli(cli, ['vectors', 'index', at('bad.npy'), '--out', at('bad.index')]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/FormatError[\s\S]*NaN in vector 5/);
    const usage = await runCli(cli, ['vectors', 'index', at('bad.npy')]);
    expect(usage.code).toBe(2);
    expect(readdirSync(folder)).toEqual(['bad.npy', ...before].sort());
  });

  test('what does not fit is said', async () => {
    const out = at('never.index');
    const file = (name: string, bytes: Uint8Array) => {
      writeFileSync(at(name), bytes);
      return at(name);
    };
    const flat = file('flat.npy', npy(queries, [queries.length]));
    await expect(writeVectorIndex(flat, out)).rejects.toThrow(ShapeError);
    const columns = file('columns.npy', npy(queries, [ASKED, DIMS], 'True'));
    await expect(writeVectorIndex(columns, out)).rejects.toThrow(/C order/);
    await expect(writeVectorIndex(at('keys.npy.index'), out)).rejects.toThrow(OptionError);
    await expect(writeVectorIndex(at('keys.safetensors'), out, { tensor: 'none' })).rejects.toThrow(
      OptionError,
    );
    const short = file('short.npy', readFileSync(at('queries.npy')));
    truncateSync(short, 1000);
    await expect(writeVectorIndex(short, out)).rejects.toThrow(FormatError);
    await expect(VectorIndexFile.open(at('keys.safetensors'))).rejects.toThrow(FormatError);
    const asked = await runCli(cli, ['vectors', 'search', at('keys.npy'), '--queries', at('queries.npy')]);
    expect(asked.stderr).toContain(`vectors index ${at('keys.npy')} --out ${at('keys.index')}`);
    const index = await VectorIndexFile.open(at('keys.npy.index'));
    await expect(index.search(queries.subarray(1), 3)).rejects.toThrow(ShapeError);
    await expect(index.search(queries, 65)).rejects.toThrow(OptionError);
    await index.close();
    await writeVectorIndex(at('queries.npy'), at('plain.index'), { mean: false });
    const plain = await VectorIndexFile.open(at('plain.index'));
    await expect(plain.search(queries, 3, { rescore: true })).rejects.toThrow(/--int8/);
    await plain.close();
  });

  test('a damaged index is refused, or answers', async () => {
    const whole = new Uint8Array(readFileSync(at('plain.index')));
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      writeFileSync(at('damaged.index'), damage(whole, round));
      try {
        const index = await VectorIndexFile.open(at('damaged.index'));
        try {
          await index.search(queries.subarray(0, DIMS), 1);
        } finally {
          await index.close();
        }
      } catch (cause) {
        expect(cause).toHaveProperty('code');
        expect((cause as Error).name).toMatch(/^(Format|Shape|Option|Storage)Error$/);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(50);
  });
});

describe('on the processor', () => {
  afterAll(() => pinLoop(undefined));
  const random = (rows: number, bits: number, salt: number) =>
    reference.itemMemory(rows, bits, salt).map((word) => word);

  test.each([
    [1, 1, 1, 1],
    [3, 50, 33, 7],
    [2, 100, 100, 100],
    [4, 70, 256, 3],
    [1, 600, 1024, 10],
    [35, 1030, 100, 2],
    [33, 5, 130, 5],
  ])("%d queries among %d keys of %d bits find the twin's %d", async (asked, size, bits, count) => {
    // Half of the keys twice, so that many are equally near.
    const half = random(Math.ceil(size / 2), bits, 4);
    const words = Uint32Array.from([...half, ...half])
      .subarray(0, size * Math.ceil(bits / 32))
      .slice();
    const ask = random(asked, bits, 5);
    const pairs = reference.nearest(ask, words, bits, count).flat();
    const [places, similarities] = [
      pairs.map(([, key]) => key),
      pairs.map(([distance]) => bits - 2 * distance),
    ];
    const plain = searchWords(ask, words, bits, count);
    expectSame(plain.keys, places, 'keys');
    expectSame(plain.similarities, similarities, 'similarities');
    for (const loop of LOOPS) {
      pinLoop(loop);
      const found = await searchInWasm(ask, words, bits, count);
      expectSame(found.keys, places, `keys by ${loop}`);
      expectSame(found.similarities, similarities, `similarities by ${loop}`);
    }
    expectSame(
      bindWords(ask, ask.slice(0, Math.ceil(bits / 32)), bits),
      reference.bind(ask, ask.slice(0, Math.ceil(bits / 32)), asked, bits),
      'bound',
    );
  });

  test('refuses more than there are, and halves of vectors', async () => {
    const words = Uint32Array.of(pcg4d(1, 2, 3, 4)[0] & 0xff, 3);
    expect(() => searchWords(words, words, 8, 3)).toThrow(OptionError);
    await expect(searchInWasm(words, words, 8, 3)).rejects.toThrow(OptionError);
    expect(() => searchWords(words, Uint32Array.of(1, 2, 3), 64, 1)).toThrow(ShapeError);
    expect(() => bindWords(words, Uint32Array.of(1, 2, 3), 8)).toThrow(ShapeError);
  });
});
