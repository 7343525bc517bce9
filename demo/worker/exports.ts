/** What was trained, as a page that uses it and as the report of its training; loaded when a visitor asks for one. */
import { zipSync } from 'fflate';
import { version } from '../../package.json';
import { DataUnavailableError, type Gpu, type Trainer, type TrainingData } from '../../src/index.ts';
import script from '../../src/reports/exported-page/classify.js?raw';
import page from '../../src/reports/exported-page/index.html?raw';
import readme from '../../src/reports/exported-page/README.md?raw';
import { exportedPage } from '../../src/reports/exported-page.ts';
import { makeReport } from '../../src/reports/recording.ts';
import type { RunOptions } from '../../src/reports/story.ts';
import { renderReport } from '../../src/reports/training.ts';
import { layersText } from '../state/network.ts';
import type { Settings } from '../state/settings.ts';
import { RUNTIME } from './pieces.ts';
import type { Story } from './runs.ts';

/**
 * A zip of a folder that any static host serves.
 * @param base URL of the page
 * @throws DataUnavailableError where what runs the network can't be loaded
 */
export async function pageOf(trainer: Trainer, base: string): Promise<Uint8Array<ArrayBuffer>> {
  const { model, values, classes, pixels } = await trainer.trained();
  const [height = 0, width = 0] = model.inputShape;
  if (pixels === undefined) throw new Error('the studio trains with bytes');
  const url = new URL(RUNTIME, base).href;
  const response = await fetch(url);
  if (!response.ok) {
    throw new DataUnavailableError('What runs the network in the page is missing.', {
      given: `${response.status} ${response.statusText}`.trim(),
      where: url,
      remedy: 'try again where there is a network',
    });
  }
  const library = new Uint8Array(await response.arrayBuffer());
  const title = trainer.data.name === 'mnist' ? 'Which digit is it?' : undefined;
  const { files } = await exportedPage(
    { model, values, image: [height, width, 1], pixels, classes, title },
    { templates: { page, script, readme }, library, version },
  );
  return zipSync(Object.fromEntries([...files].map(([name, content]) => [`page/${name}`, content])));
}

/** @param link address that opens with the settings, which says how it was made */
export async function reportOf(
  { adapter }: Gpu,
  trainer: Trainer,
  data: TrainingData,
  { layers, quantizer, penalty, optimizer, loss, batch, epochs, rate, seed, images, heldOut }: Settings,
  { initial, records }: Story,
  link: string,
): Promise<string> {
  const run = {
    ...{ dataset: data.name, model: layersText(layers), quantizer, penalty, batch, epochs, lr: rate, seed },
    ...{ fanScaled: false, augment: false, trainSamples: images, testSamples: heldOut },
    optimizer: optimizer as RunOptions['optimizer'],
    loss: loss as RunOptions['loss'],
  };
  const isOver = records.length >= epochs;
  const made = { version, date: new Date().toISOString(), command: link };
  const about = { made, adapter, ...(isOver ? {} : { running: { epochs } }) };
  return renderReport(await makeReport(trainer, data, { run, initial, epochs: records }, about));
}
