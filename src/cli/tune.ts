/** `webgpu-bnn tune`: which of several kernels is the fastest on this adapter, measured once and kept. */
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { imageOf, noise } from '../bench/noise.ts';
import { type Choice, type Gpu, type ModelName, modelByName, ops, Trainer } from '../index.ts';
import {
  type AdapterOptions,
  acquire,
  describeAdapter,
  jsonOption,
  modelOption,
  positiveInteger,
  withAdapter,
} from './options.ts';
import { emit, jsonText } from './output.ts';

interface Flags extends AdapterOptions {
  readonly model: ModelName;
  readonly batch: number;
  readonly again: boolean;
  readonly rounding: boolean;
  readonly list: boolean;
  readonly clear?: string | true;
  readonly pin?: { readonly key: string; readonly kernel: string };
  readonly json?: string;
}

export function tuneCommand(): Command {
  return withAdapter(new Command('tune'))
    .description('measure which kernels are the fastest here for a model, and keep the choice')
    .addOption(modelOption())
    .option('--batch <count>', 'images a training step', positiveInteger, 100)
    .option('--again', 'measure also what was measured before', false)
    .option('--rounding', 'choose also kernels that round the sums of gradients otherwise', false)
    .option('--list', 'list the choices, and measure nothing', false)
    .option('--clear [key]', 'forget one choice, or all of this adapter')
    .option('--pin <key:kernel>', 'choose a kernel by name, whatever was measured', pinned)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Choices change how long something takes, and no bit of a result: a kernel is chosen only where its results are those of
the default, to the bit, on this adapter. With --rounding they may change the last bits of gradients.

Examples:
  $ webgpu-bnn tune --model binarynet --batch 50
  $ webgpu-bnn tune --list
  $ webgpu-bnn tune --clear
  $ webgpu-bnn tune --pin 'binaryMatMul(M=8,N=64,K=512,INTEGER=0):gemm/binary_tile'`,
    )
    .action(async (flags: Flags) => {
      using gpu = await acquire(flags);
      if (flags.json !== '-') console.log(`adapter  ${describeAdapter(gpu)}\n`);
      await act(gpu, flags);
      const choices = gpu.choices.list();
      await emit(jsonText(choices, 2), flags.json);
      if (flags.json !== '-') console.log(choiceTable(choices));
    });
}

async function act(gpu: Gpu, flags: Flags): Promise<void> {
  if (flags.clear !== undefined) {
    const count = ops.clearChoices(gpu, flags.clear === true ? undefined : flags.clear);
    if (flags.json !== '-') console.log(`forgot ${count} ${count === 1 ? 'choice' : 'choices'}\n`);
  } else if (flags.pin !== undefined) {
    ops.pinKernel(gpu, flags.pin.key, flags.pin.kernel);
  } else if (!flags.list) {
    const data = noise(flags.model, flags.batch, 1);
    const model = modelByName(flags.model, { input: imageOf(flags.model), classes: data.classes.length });
    // To create a training records its programs, and so asks for all that they need.
    using _ = await Trainer.create(gpu, model, data, { batch: flags.batch, epochs: 1, learningRate: 1e-3 });
    const onChoice = ({ key, kernel }: Choice) => {
      if (flags.json !== '-') console.log(`${key}\n  ${kernel}`);
    };
    const made = await ops.tune(gpu, { again: flags.again, rounding: flags.rounding, onChoice });
    if (flags.json !== '-') console.log(made.length === 0 ? 'nothing new to choose\n' : '');
  }
}

function choiceTable(choices: readonly Choice[]): string {
  if (choices.length === 0) return 'There are no choices for this adapter.';
  const table = new Table({ head: ['extents', 'kernel', 'measured'], style: { head: [], border: [] } });
  for (const { key, kernel, pinned: isPinned, measured } of choices) {
    const times = Object.entries(measured ?? {})
      .sort(([, a], [, b]) => a - b)
      .map(([name, time]) => `${time.toFixed(2)} ms  ${name}`);
    const wrapped = key.replace(/\(.*\)/, (list) => list.replace(/((?:[^,]*,){3}[^,]*),/g, '$1,\n  '));
    table.push([wrapped, `${kernel}${isPinned ? '\npinned' : ''}`, times.join('\n') || 'not measured']);
  }
  return table.toString();
}

function pinned(text: string): { key: string; kernel: string } {
  const at = text.lastIndexOf(':');
  if (at < 0) {
    throw new InvalidArgumentError("A key and a kernel are expected, as in 'binaryMatMul(...):gemm/binary'.");
  }
  return { key: text.slice(0, at), kernel: text.slice(at + 1) };
}
