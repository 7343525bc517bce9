/** A report's page, looked at as text. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { EpochReport, LayerReport, TrainReport } from '../../src/reports/training.ts';

/** What a page shows: it without its one script, which the page's own policy names by its hash, and without its styles. */
export function contentOf(page: string): string {
  const scripts = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
  expect(scripts.length).toBe(1);
  const hash = createHash('sha256')
    .update(scripts[0]?.[1] ?? '')
    .digest('base64');
  expect(page).toContain(`script-src &#39;sha256-${hash}&#39;`);
  expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<title'));
  return page.replace(scripts[0]?.[0] ?? '', '').replace(/<style>[\s\S]*?<\/style>/, '');
}

/** Pages reach nothing outside: no address but the name of SVG's namespace, no file, no frame. */
export function expectSelfContained(content: string): void {
  expect(content).not.toMatch(/<link|<iframe|<object|<embed|\shref=|@import|url\((?!#)/i);
  expect(
    [...content.matchAll(/\bsrc="([^"]*)"/g)].filter(
      ([, source]) => !source?.startsWith('data:image/png;base64,'),
    ),
  ).toEqual([]);
  const addresses = [...new Set(content.match(/\w+:\/\/[^"'\s<)]+/g))];
  expect(addresses.filter((address) => !address.startsWith('http://www.w3.org/'))).toEqual([]);
}

export const counts = (...bins: readonly [bin: number, count: number][]): number[] => {
  const all = new Array<number>(180).fill(0);
  for (const [bin, count] of bins) all[bin] = count;
  return all;
};

export function layer(name: string, over: Partial<LayerReport> = {}): LayerReport {
  return {
    name: `${name}/kernel`,
    shape: [64, 3, 3, 32],
    bits: 1,
    filters: 64,
    fanIn: 288,
    angleDegrees: 36.5,
    angleSd: 0.75,
    angleExpected: 36.99,
    flipRatio: 0.00025,
    angles: { from: 0, to: 90, counts: counts([72, 40], [73, 24]) },
    ...over,
  };
}

/** The report of a training that never was. */
export function sample(
  layers: readonly LayerReport[],
  epochs = 3,
  over: Partial<TrainReport> = {},
): TrainReport {
  return {
    version: 1,
    made: { version: '1.2.3', date: '2026-11-24T10:00:00.000Z', command: 'webgpu-bnn train --seed 7' },
    adapter: {
      name: 'Some GPU',
      vendor: 'acme',
      architecture: 'one',
      device: '',
      description: 'Some GPU',
      software: false,
    },
    dataset: 'mnist',
    model: 'cnn',
    seed: 7,
    options: { epochs, batch: 100, lr: { from: 0.02, to: 0.001, decay: 'exponential' }, augment: false },
    initial: layers.map(({ name }) => ({ name, angleDegrees: 30 })),
    epochs: Array.from(
      { length: epochs },
      (_, index): EpochReport => ({
        epoch: index + 1,
        trainLoss: 0.5 / (index + 1),
        trainAccuracy: 0.9,
        testLoss: 0.4,
        testAccuracy: 0.91,
        learningRate: 0.01,
        seconds: 12.5,
        imagesPerSecond: 4800,
        layers: layers.map(({ name, angleExpected, flipRatio }) => ({
          name,
          angleDegrees: 36,
          angleExpected,
          flipRatio,
        })),
      }),
    ),
    finalTestAccuracy: 0.97385,
    imagesPerSecond: 4812.4,
    peakGpuBytes: 64 * 2 ** 20,
    weightsSha256: 'ab'.repeat(32),
    layers,
    seconds: 37.5,
    ...over,
  };
}
