/** `webgpu-bnn methods`: lists all methods, and prints the page of one. */
import { Argument, Command } from 'commander';
import { describeMethod } from '../methods/describe.ts';
import { AUGMENTATIONS } from '../methods/index.ts';
import { METHODS } from '../methods/table.ts';
import { writeFileAtomic } from '../node/index.ts';
import { unknownName } from '../options.ts';
import { METHOD_KINDS, methodList, methodText, renderMethods } from '../reports/methods.ts';
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
    .addArgument(
      new Argument(
        '[name]',
        `print its formula, numbers, paper and functions; or list a kind: ${Object.keys(METHOD_KINDS).join(', ')}`,
      ),
    )
    .addOption(jsonOption())
    .addOption(
      new OutputOption('--html <file>', 'write the page with its plots; without a name, of all of them'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ webgpu-bnn methods
  $ webgpu-bnn methods quantizer
  $ webgpu-bnn methods irNet
  $ webgpu-bnn methods --html methods.html`,
    )
    .action(async (name: string | undefined, flags: Flags) => {
      const all = made(name).map((method) => describeMethod(method));
      const one = all.find((method) => method.name === name);
      if (flags.html !== undefined) await writeFileAtomic(flags.html, renderMethods(all, madeNow()));
      await emit(jsonText(one ?? all, 2), flags.json);
      if (flags.json === '-') return;
      console.log(one === undefined ? methodList(all) : methodText(one));
    });
}

/** All methods, those of a kind, or the one of a name. @throws OptionError for an unknown name, with the nearest one */
function made(name: string | undefined): readonly Parameters<typeof describeMethod>[0][] {
  const factories = { ...METHODS, ...AUGMENTATIONS };
  const all = Object.values(factories).map((factory) => factory());
  if (name === undefined) return all;
  const ofKind = all.filter(({ kind }) => [kind, METHOD_KINDS[kind]?.toLowerCase()].includes(name));
  const found = ofKind.length > 0 ? ofKind : all.filter((method) => method.name === name);
  if (found.length > 0) return found;
  const kinds = new Set(all.map(({ kind }) => kind));
  throw unknownName('method', name, [...kinds, ...Object.keys(factories)], 'methods');
}
