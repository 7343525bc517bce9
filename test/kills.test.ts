/**
 * A training whose process is killed again and again, at random moments, ends with the weights of one that was left alone:
 * whatever is being written, the checkpoint on disk is whole. 20 kills here, 500 by `npm run kills`. A process is killed once it
 * trains, and saves after every step: what takes its time is to start it, and there a kill finds nothing to damage.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pcg4d } from '../src/numerics/random.ts';
import { buildCli, runCli } from './helpers/cli.ts';

const KILLS = Number(process.env.WEBGPU_BNN_KILLS ?? 20);
const TRAINING = ['--train-samples', '200', '--test-samples', '20', '--epochs', '2', '--batch', '25'];

let cli = '';
let folder = '';
beforeAll(async () => {
  cli = await buildCli();
  folder = await mkdtemp(join(tmpdir(), 'webgpu-bnn kills '));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hashOf = async (out: string) =>
  (JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as { weightsSha256: string }).weightsSha256;

test(
  `${KILLS} kills change nothing`,
  async () => {
    const straight = join(folder, 'straight');
    // Printed when the first step is about to be done.
    const BEGINS = /^memory /m;
    let began = 0;
    const alone = await runCli(cli, ['train', ...TRAINING, '--checkpoint-every', '1', '--out', straight], {
      onOutput: (_, printed) => {
        if (BEGINS.test(printed)) began ||= performance.now();
      },
    });
    const took = performance.now() - began;
    expect(alone.code, alone.stderr).toBe(0);
    const hash = await hashOf(straight);

    let [kills, resumed, run] = [0, 0, 0];
    while (kills < KILLS || resumed === 0) {
      const out = join(folder, `killed ${run++}`);
      for (let ended = false; !ended; ) {
        const saved = existsSync(join(out, 'checkpoint.safetensors'));
        if (saved) resumed += 1;
        const args = saved ? ['--resume', out] : [...TRAINING, '--out', out];
        const [word] = pcg4d(9, kills, run, 0);
        // The last one of all is left to end.
        const delay = kills < KILLS ? (took * word) / 2 ** 32 : undefined;
        let timer: NodeJS.Timeout | undefined;
        const life = await runCli(cli, ['train', ...args, '--checkpoint-every', '1'], {
          onOutput: (kill, printed) => {
            if (delay === undefined || timer !== undefined || !BEGINS.test(printed)) return;
            timer = setTimeout(() => kill('SIGKILL'), delay);
          },
        });
        clearTimeout(timer);
        if (life.code === null) kills += 1;
        else expect(life.code, life.stderr).toBe(0);
        ended = life.code !== null;
      }
      expect(await hashOf(out), `after ${kills} kills`).toBe(hash);
      if (KILLS > 20) console.log(`${kills} kills, ${resumed} resumes, ${run} trainings to their end`);
    }
  },
  24 * 3_600_000,
);
