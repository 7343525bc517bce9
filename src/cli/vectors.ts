/** `webgpu-bnn vectors`: an index of embeddings, one bit a dimension, and what is nearest in it. */
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { VectorIndexFile, writeVectorIndex } from '../node/vector-files.ts';
import { bytesText } from '../reports/words.ts';
import { type EngineOptions, engineOption, gpuOf } from './engine.ts';
import { jsonOption, positiveInteger, withAdapter } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';

interface IndexFlags {
  readonly out: string;
  readonly tensor?: string;
  readonly int8?: boolean;
  readonly mean: boolean;
}

interface SearchFlags extends EngineOptions {
  readonly queries: string;
  readonly tensor?: string;
  readonly count?: number;
  readonly rescore?: boolean;
  readonly json?: string;
}

export function vectorsCommand(): Command {
  return new Command('vectors')
    .description('keep one bit a dimension of embeddings, and find the nearest of them')
    .addCommand(indexCommand())
    .addCommand(searchCommand())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn vectors index embeddings.npy --out embeddings.index --int8
  $ webgpu-bnn vectors search embeddings.index --queries queries.npy -k 10 --rescore`,
    );
}

const tensorOption = () => new Option('--tensor <name>', 'which tensor of a safetensors file');

function indexCommand(): Command {
  return new Command('index')
    .description('make an index of the rows of a .npy or safetensors file')
    .argument('<file>', 'numbers [count, dimensions]')
    .addOption(new OutputOption('--out <file>', 'the index to write').makeOptionMandatory())
    .addOption(tensorOption())
    .option('--int8', 'keep a byte a dimension too, so that candidates can be scored again')
    .option('--no-mean', 'take signs as they are, without taking off the mean')
    .action(async (path: string, flags: IndexFlags) => {
      const { count, bits, bytes } = await writeVectorIndex(path, flags.out, flags);
      console.log(`read      ${path}: ${count} vectors of ${bits} dimensions`);
      console.log(`written   ${flags.out}: ${bytesText(bytes)}`);
    });
}

function searchCommand(): Command {
  return withAdapter(new Command('search'))
    .description('find the nearest keys of every row of a .npy or safetensors file')
    .argument('<index>', 'what `vectors index` wrote')
    .requiredOption('--queries <file>', 'numbers [queries, dimensions]')
    .addOption(tensorOption())
    .option('-k, --count <n>', 'how many of the nearest, 64 at most (default: 10)', positiveInteger)
    .option('--rescore', 'find four times as many by their signs, and sort them by their bytes')
    .addOption(engineOption())
    .addOption(jsonOption())
    .action(search);
}

async function search(path: string, flags: SearchFlags): Promise<void> {
  const index = await VectorIndexFile.open(path);
  try {
    using gpu = await gpuOf(flags);
    const { count = Math.min(10, index.count), rescore, tensor } = flags;
    const found = await index.searchFile(flags.queries, count, { gpu, rescore, tensor });
    const { count: size, bits } = index;
    const measure = flags.rescore === true ? 'cosine' : 'sign similarity';
    await emit(jsonText({ size, bits, measure, ...found }), flags.json);
    if (flags.json === '-') return;
    const scale = flags.rescore === true ? '' : ': bits that agree less those that differ';
    console.log(`${size} keys of ${bits} bits; ${measure}${scale}`);
    const table = new Table({
      head: ['query', 'nearest keys'],
      // A terminal of 100 columns shows it.
      colWidths: [null, 88],
      wordWrap: true,
      style: { head: [], border: [] },
    });
    found.keys.forEach((keys, query) => {
      const scores = found.scores[query] ?? [];
      const shown = keys.map((key, i) => {
        const score = scores[i] ?? 0;
        return `${key} (${flags.rescore === true ? score.toFixed(4) : score})`;
      });
      table.push([query, shown.join('  ')]);
    });
    console.log(table.toString());
  } finally {
    await index.close();
  }
}
