/** `webgpu-bnn inspect`: what a network that others trained is made of, after it was compiled for inference. */
import { Command } from 'commander';
import { summarize } from '../index.ts';
import { readImported } from './imported.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show the layers of an ONNX file or a BNN-PYNQ folder: shapes, bits, sizes, operations')
    .argument('<model>', 'an .onnx file, or a BNN-PYNQ folder')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ webgpu-bnn inspect model.onnx')
    .action(async (path: string, flags: { readonly json?: boolean }) => {
      const { format, model, classes, folded } = await readImported(path);
      if (flags.json === true) {
        const result = { format, ...summarize(model), classes, folded };
        process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
        return;
      }
      console.log(`format   ${format}`);
      if (classes !== undefined) console.log(`classes  ${classes.join(', ')}`);
      if (folded.length > 0) console.log(`folded   ${folded.join(', ')}`);
      console.log(`\n${model.summary()}`);
    });
}
