/**
 * A training whose process is killed again and again, at random moments, ends with the weights of one that was left alone:
 * whatever is being written, the checkpoint on disk is whole. 8 kills here, 500 by `npm run kills`.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pcg4d } from '../src/numerics/random.ts';
import { buildCli, runCli } from './helpers/cli.ts';

const KILLS = Number(process.env.WEBGPU_BNN_KILLS ?? 8);
const TRAINING = ['--train-samples', '600', '--test-samples', '100', '--epochs', '3', '--batch', '50'];

let cli = '';
let folder = '';
beforeAll(async () => {
  cli = await buildCli();
  folder = await mkdtemp(join(tmpdir(), 'webgpu-bnn kills '));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hashOf = async (out: string) =>
  (JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as { weightsSha256: string }).weightsSha256;

test(`${KILLS} kills change nothing`, async () => {
  const straight = join(folder, 'straight');
  const started = performance.now();
  const alone = await runCli(cli, ['train', ...TRAINING, '--out', straight]);
  const took = performance.now() - started;
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
      const delay = kills < KILLS ? took * (0.2 + (0.8 * word) / 2 ** 32) : undefined;
      let timer: NodeJS.Timeout | undefined;
      const life = await runCli(cli, ['train', ...args, '--checkpoint-every', '3'], {
        onStart: (kill) => {
          if (delay !== undefined) timer = setTimeout(() => kill('SIGKILL'), delay);
        },
      });
      clearTimeout(timer);
      if (life.code === null) kills += 1;
      else expect(life.code, life.stderr).toBe(0);
      ended = life.code !== null;
    }
    expect(await hashOf(out), `after ${kills} kills`).toBe(hash);
  }
}, 3_600_000);
