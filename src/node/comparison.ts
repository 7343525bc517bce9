/** A comparison's folder: what it is of, a result for each job that is over, and a checkpoint of the one under way. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComparisonStore, JobResult } from '../compare/index.ts';
import { FormatError, StorageError } from '../errors.ts';
import { CHECKPOINT_FILE, decodeCheckpoint, encodeCheckpoint } from '../formats/checkpoint.ts';
import { npx } from '../npx.ts';
import { type KeptComparison, parseComparison, parseEpochs, parseResult } from '../reports/compared.ts';
import { howToBegin, readFileChecked, storageError, writeFileAtomic } from './files.ts';

/** What a comparison is of, in its folder. */
export const DESCRIPTION = 'comparison.json';

/** What the folder of a comparison says of it. @throws StorageError where there is none, FormatError */
export async function readComparison(folder: string): Promise<KeptComparison> {
  const file = join(folder, DESCRIPTION);
  if (!existsSync(file)) {
    const isRun = existsSync(join(folder, CHECKPOINT_FILE));
    throw new StorageError('There is no comparison here.', {
      given: isRun ? `${folder}, a folder of ${npx('train')}` : folder,
      expected: `a folder that ${npx('compare')} wrote`,
      remedy: isRun
        ? `go on with the training: ${npx(`train --resume ${folder}`)}`
        : howToBegin('compare --methods LIST', folder),
    });
  }
  return parseComparison(new TextDecoder().decode(await readFileChecked(file)), file);
}

/** Whether a folder is that of a comparison. */
export function isComparison(folder: string): boolean {
  return existsSync(join(folder, DESCRIPTION)) && !existsSync(join(folder, CHECKPOINT_FILE));
}

/** @throws FormatError for the folder of a comparison, where a run or a model is expected */
export function assertNoComparison(folder: string): void {
  if (!isComparison(folder)) return;
  throw new FormatError('This folder holds a comparison, which keeps results and no networks.', {
    given: folder,
    expected: 'a run, or a model',
    remedy: `its table: ${npx(`compare --resume ${folder}`)}, as a page with --html FILE; a network to use: ${npx('train')}`,
  });
}

/** Keeps a comparison in a folder: `results/<job>.json`, and `<job>.safetensors` while the job is under way. */
export function comparisonFolder(folder: string): ComparisonStore {
  const results = join(folder, 'results');
  const resultFile = (id: string) => join(results, `${id}.json`);
  const checkpointFile = (id: string) => join(folder, `${id}.safetensors`);
  return {
    async result(id) {
      const content = await readIfThere(resultFile(id));
      return content === undefined ? undefined : parseResult(content.toString('utf8'), resultFile(id));
    },
    async keepResult(result: JobResult) {
      await mkdir(results, { recursive: true });
      await writeFileAtomic(resultFile(result.job.id), `${JSON.stringify(result, null, 2)}\n`);
    },
    async progress(id) {
      const file = checkpointFile(id);
      const bytes = await readIfThere(file);
      if (bytes === undefined) return undefined;
      const { checkpoint, metadata } = decodeCheckpoint(bytes, file);
      return { checkpoint, epochs: parseEpochs(metadata.epochs ?? '', file) };
    },
    async keepProgress(id, { checkpoint, epochs }) {
      await writeFileAtomic(
        checkpointFile(id),
        encodeCheckpoint(checkpoint, { epochs: JSON.stringify(epochs) }),
      );
    },
    async dropProgress(id) {
      await rm(checkpointFile(id), { force: true });
    },
  };
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storageError('A file of the comparison cannot be read.', file, cause);
  }
}
