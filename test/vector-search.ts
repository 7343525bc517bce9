/**
 * `npm run hypervectors -- -t keys`: queries a second among a million keys of 1,024 bits, by a plain loop over typed arrays, in
 * WebAssembly, and by each kernel on the GPU, beside the population counts that the adapter does at most. `KEYS` says how many
 * keys, `QUERIES` how many at once. Processor time is that of all threads: other work touches it less than the clock on the wall.
 */
import { expect, test } from 'vitest';
import { searchInWasm } from '../src/cpu/search.ts';
import { type Gpu, type Program, ProgramBuilder } from '../src/gpu/index.ts';
import { OPERATIONS_PER_ROUND, popcounts } from '../src/kernels/bench.ts';
import { candidates } from '../src/kernels/variants.ts';
import { SEARCH } from '../src/kernels/vectors.ts';
import { requestGpu } from '../src/node/gpu.ts';
import { pcg4d } from '../src/numerics/random.ts';
import { nearest } from '../src/ops/vectors.ts';
import { searchWords } from '../src/vectors/words.ts';

const [bits, count, runs] = [1024, 10, 4];
const each = bits / 32;
const size = Number(process.env.KEYS ?? 1_000_000);

const random = (rows: number, salt: number) => {
  const words = new Uint32Array(rows * each);
  for (let i = 0; i < words.length; i += 4) words.set(pcg4d(i, salt, 1, 2), i);
  return words;
};

/** Milliseconds of the fastest of several runs: by the clock, and of all threads of this process. */
async function fastest(body: () => Promise<unknown> | unknown): Promise<{ wall: number; processor: number }> {
  let [wall, processor] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < runs; run++) {
    const [before, start] = [process.cpuUsage(), performance.now()];
    await body();
    wall = Math.min(wall, performance.now() - start);
    const { user, system } = process.cpuUsage(before);
    processor = Math.min(processor, (user + system) / 1000);
  }
  return { wall, processor };
}

const running = (gpu: Gpu, program: Program) => async () => {
  program.run();
  await gpu.finished();
};

test(`${size} keys`, async () => {
  using gpu = await requestGpu();
  const { description, vendor } = gpu.adapter;
  console.log(`${vendor} ${description}; ${size} keys of ${bits} bits, the ${count} nearest, ${runs} runs`);
  console.log(
    '| how | queries at once | a query, processor | a query, clock | words counted a second of processor |',
  );
  const say = (how: string, queries: number, { wall, processor }: { wall: number; processor: number }) => {
    const rate = (size * each * queries) / processor / 1e6;
    const [own, all] = [processor / queries, wall / queries].map((time) => `${time.toFixed(1)} ms`);
    console.log(`| ${how} | ${queries} | ${own} | ${all} | ${rate.toFixed(2)} G |`);
  };
  const [lanes, rounds] = [4096, 64];
  {
    using seed = gpu.tensor('seed', [8, 4], 'u32', random(1, 3));
    const b = new ProgramBuilder(gpu, 'population counts');
    b.dispatch(
      popcounts,
      { seed, out: b.keep(b.transient('out', [lanes, 4], 'u32')) },
      { COUNT: lanes, ROUNDS: rounds },
    );
    using program = await b.compile();
    const { processor } = await fastest(running(gpu, program));
    console.log(
      `counts at most: ${((lanes * rounds * OPERATIONS_PER_ROUND) / processor / 1e6).toFixed(2)} G`,
    );
  }
  const words = random(size, 1);
  using keys = gpu.tensor('keys', [size, bits], 'bits', words);
  for (const asked of (process.env.QUERIES ?? '1,4,16').split(',').map(Number)) {
    const ask = random(asked, 2);
    const expected = searchWords(ask, words, bits, count);
    if (asked === 1) say('typed arrays', asked, await fastest(() => searchWords(ask, words, bits, count)));
    expect((await searchInWasm(ask, words, bits, count)).keys).toEqual(expected.keys);
    say('WebAssembly', asked, await fastest(() => searchInWasm(ask, words, bits, count)));
    using queries = gpu.tensor('queries', [asked, bits], 'bits', ask);
    const compiled = async () => {
      const b = new ProgramBuilder(gpu, 'search');
      const found = b.keep(nearest(b, queries, keys, count));
      return { found, program: await b.compile() };
    };
    (await compiled()).program.dispose();
    const [key, question] = [...gpu.choices.asked].at(-1) ?? [];
    if (key === undefined || question === undefined) throw new Error('no kernel was asked for');
    const extents = question.extents as Parameters<typeof SEARCH.operands>[0];
    for (const { name } of candidates(SEARCH, extents, gpu)) {
      gpu.choices.pin(key, name);
      const { found, program } = await compiled();
      await running(gpu, program)();
      const pairs = await gpu.readWords(found);
      expect(pairs.filter((_, i) => i % 2 === 1)).toEqual(expected.keys);
      say(name, asked, await fastest(running(gpu, program)));
      program.dispose();
    }
  }
});
