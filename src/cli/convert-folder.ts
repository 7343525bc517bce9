/** `webgpu-bnn convert MODEL FOLDER/`: a network as a parameter folder of BNN-PYNQ. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BnnError, FormatError } from '../errors.ts';
import { encodeBnnPynq, type Gpu, type LoadedModel, sizeOf } from '../index.ts';
import { storageError } from '../node/files.ts';
import { loadModel } from '../node/index.ts';
import { uniform01 } from '../numerics/random.ts';
import { bytesText } from '../reports/words.ts';
import type { ReadableModel } from './imported.ts';
import { assertOurs } from './output.ts';

/** Random images that both networks must give the same labels. */
const IMAGES = 64;

/**
 * Writes the folder beside its place, reads it back from there, compares, and moves it.
 * @param gpu to run both networks on; none to leave the comparison out
 * @throws OptionError where there are files already, StorageError; what the writer throws for a layer that the format can't say
 */
export async function convertToFolder(
  source: ReadableModel,
  out: string,
  gpu: Gpu | undefined,
): Promise<void> {
  const { classes, pixels } = source;
  const files = encodeBnnPynq(source.model, source.values, { classes, pixels });
  const folder = resolve(out);
  assertOurs(out, '<out>');
  const beside = await folderBeside(folder, out);
  try {
    for (const [name, bytes] of files) await writeFile(join(beside, name), bytes);
    if (gpu !== undefined) {
      await assertSameLabels(gpu, source, await loadModel(beside), out);
      console.log(`verified  the same labels for ${IMAGES} random images, read back from the folder`);
    }
    await rm(folder, { recursive: true, force: true });
    await rename(beside, folder);
  } catch (cause) {
    await rm(beside, { recursive: true, force: true });
    throw cause instanceof BnnError ? cause : storageError('The folder could not be written.', out, cause);
  }
  const bytes = [...files.values()].reduce((sum, file) => sum + file.length, 0);
  console.log(`written   ${out}: ${files.size} files of BNN-PYNQ, ${bytesText(bytes)}`);
}

/** A temporary folder in the same place. @throws StorageError */
async function folderBeside(folder: string, given: string): Promise<string> {
  try {
    await mkdir(dirname(folder), { recursive: true });
    return await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
  } catch (cause) {
    throw storageError('The folder could not be written.', given, cause);
  }
}

async function assertSameLabels(
  gpu: Gpu,
  source: ReadableModel,
  written: LoadedModel,
  out: string,
): Promise<void> {
  const images = Uint8Array.from({ length: IMAGES * sizeOf(source.model.inputShape) }, (_, i) =>
    Math.floor(256 * uniform01(1, 1, i)),
  );
  const labels = [];
  for (const loaded of [source, written]) {
    const classifier = await loaded.createClassifier(gpu);
    const { results } = await classifier.classify(images, { top: 1 });
    labels.push(results.map(([best]) => best?.label));
    classifier.dispose();
  }
  const [before = [], after = []] = labels;
  const wrong = before.filter((label, i) => label !== after[i]).length;
  if (wrong === 0) return;
  throw new FormatError('The written network does not give the same labels; nothing was written.', {
    given: `${wrong} other labels in ${IMAGES} random images`,
    where: out,
    remedy: 'report this network as a fault of webgpu-bnn, or leave the check out with --no-verify',
  });
}
