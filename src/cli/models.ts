/** `webgpu-bnn models`: the ready-made networks, with their sizes and operations. */
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { describeModel, MODEL_NAMES, modelByName, modelEntry, summarize } from '../index.ts';
import { writeFileAtomic } from '../node/index.ts';
import { bytesText, whole } from '../reports/words.ts';
import { jsonOption, positiveInteger } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';
import { modelOptionsOption } from './own-models.ts';

interface Flags {
  readonly input?: readonly number[];
  readonly classes?: number;
  readonly modelOptions?: Readonly<Record<string, number>>;
  readonly out?: string;
  readonly json?: string;
}

export function modelsCommand(): Command {
  return new Command('models')
    .description('list the ready-made networks with their sizes and operations, or show one layer by layer')
    .argument('[name]', 'one of them')
    .option('--input <shape>', 'images, as 32x32x3 (default: those that each was made for)', imageShape)
    .option('--classes <n>', 'classes', positiveInteger)
    .addOption(modelOptionsOption())
    .addOption(new OutputOption('--out <file>', 'write the network as JSON, for train --model FILE'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn models
  $ webgpu-bnn models mlp --model-options units=256
  $ webgpu-bnn models resnet20 --input 32x32x3 --classes 4 --out model.json`,
    )
    .action(async (name: string | undefined, flags: Flags) => {
      const rows = (name === undefined ? MODEL_NAMES : [name]).map((own) => {
        const { about, input, classes, options } = modelEntry(own);
        const made = { input: flags.input ?? input, classes: flags.classes ?? classes };
        const model = modelByName(own, made, name === undefined ? {} : flags.modelOptions);
        return { name: own, about, ...made, options, model, total: summarize(model).total };
      });
      const [first] = rows;
      if (name !== undefined && first !== undefined && flags.out !== undefined) {
        await writeFileAtomic(flags.out, jsonText(describeModel(first.model), 2));
      }
      if (flags.json !== '-') {
        if (name === undefined) console.log(tableOf(rows));
        else console.log(first?.model.summary());
      }
      await emit(
        jsonText(
          rows.map(({ model: _, ...row }) => row),
          2,
        ),
        flags.json,
      );
    });
}

function tableOf(
  rows: readonly {
    readonly name: string;
    readonly about: string;
    readonly input: readonly number[];
    readonly options: Readonly<Record<string, number>>;
    readonly total: ReturnType<typeof summarize>['total'];
  }[],
): string {
  const table = new Table({
    head: [
      'network',
      'what it is',
      'images',
      '1-bit',
      '32-bit',
      'size',
      'binary MACs',
      'other MACs',
      'options',
    ],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  });
  for (const { name, about, input, options, total } of rows) {
    table.push([
      ...[name, about, input.join(' x '), whole(total.binaryParameters), whole(total.floatParameters)],
      ...[bytesText(total.bytes), whole(total.operations.binary), whole(total.operations.float)],
      Object.entries(options)
        .map(([option, value]) => `${option}=${value}`)
        .join(' '),
    ]);
  }
  return table.toString();
}

function imageShape(text: string): number[] {
  const extents = text.split('x').map(Number);
  if (extents.every((extent) => Number.isSafeInteger(extent) && extent > 0)) return extents;
  throw new InvalidArgumentError('Extents are expected, as 32x32x3.');
}
