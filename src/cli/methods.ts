/** `webgpu-bnn methods`: lists all methods, and prints the page of one. */
import { Argument, Command } from 'commander';
import { describeMethod } from '../methods/describe.ts';
import { AUGMENTATIONS } from '../methods/index.ts';
import { METHODS } from '../methods/table.ts';
import { writeFileAtomic } from '../node/index.ts';
import { unknownName } from '../options.ts';
import { methodList, methodText, renderMethods } from '../reports/methods.ts';
import { madeNow } from './made.ts';
import { jsonOption } from './options.ts';
import { emit, jsonText, OutputOption } from './output.ts';

interface Flags {
  readonly json?: string;
  readonly html?: string;
}

export function methodsCommand(): Command {
  return new Command('methods')
    .description('list quantizers, optimizers, penalties, losses and augmentations, or print the page of one')
    .addArgument(new Argument('[name]', 'print its formula, numbers, paper and functions'))
    .addOption(jsonOption())
    .addOption(
      new OutputOption('--html <file>', 'write the page with its plots; without a name, of all of them'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn methods
  $ webgpu-bnn methods irNet
  $ webgpu-bnn methods --html methods.html`,
    )
    .action(async (name: string | undefined, flags: Flags) => {
      const all = made(name).map((method) => describeMethod(method));
      if (flags.html !== undefined) await writeFileAtomic(flags.html, renderMethods(all, madeNow()));
      await emit(jsonText(name === undefined ? all : all[0], 2), flags.json);
      if (flags.json === '-') return;
      console.log(name === undefined ? methodList(all) : all.map(methodText).join('\n'));
    });
}

/** All methods, or the one of a name. @throws OptionError for an unknown name, with the nearest one */
function made(name: string | undefined): Parameters<typeof describeMethod>[0][] {
  const factories = { ...METHODS, ...AUGMENTATIONS };
  if (name === undefined) return Object.values(factories).map((factory) => factory());
  const factory = Object.entries(factories).find(([one]) => one === name)?.[1];
  if (factory === undefined) throw unknownName('method', name, Object.keys(factories), 'methods');
  return [factory()];
}
