/** An outsider's package, which imports public entries alone: everything that it brings is used, in Node and in Chrome. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requestGpu } from 'webgpu-bnn/node';
import { type Study, study } from './guest/study.ts';
import { launchChrome, servePages } from './helpers/chrome.ts';

const GUEST = join(import.meta.dirname, 'guest');

test('the package imports public entries, and files of its own', () => {
  const imports = readdirSync(GUEST).flatMap((name) =>
    [...readFileSync(join(GUEST, name), 'utf8').matchAll(/from '([^']+)'/g)].map(([, from]) => from),
  );
  expect(imports.length).toBeGreaterThan(8);
  expect(imports.filter((from) => !/^webgpu-bnn(\/methods|\/node)?$|^\.\/\w+\.ts$/.test(from ?? ''))).toEqual(
    [],
  );
});

function expectWhole(result: Study): void {
  // The hook stopped two epochs of twelve steps, and the tap looked at every sixth step.
  expect(result).toMatchObject({ outcome: 'stopped', steps: 24, samples: [6, 12, 18, 24] });
  expect(result.accuracy).toBeGreaterThan(0.8);
  expect(result.pushed).toBeGreaterThan(0);
  expect(result.angles.map(({ name }) => name)).toEqual(['conv/kernel', 'hidden/kernel', 'last/kernel']);
  for (const { meanAngle } of result.angles) {
    expect(meanAngle).toBeGreaterThan(20);
    expect(meanAngle).toBeLessThan(45);
  }
  // Aborted after the layer was frozen; it stays so, and everything ends as it would have.
  expect(result.resumed.outcome).toBe('aborted');
  expect(result.resumed.step).toBeGreaterThanOrEqual(14);
  expect(result.resumed.step).toBeLessThan(24);
  expect(result.resumed).toMatchObject({
    frozen: ['conv/kernel'],
    kept: true,
    hash: result.hash,
    pushed: result.pushed,
  });
  const [folded, unfolded] = result.loaded;
  expect(folded).toEqual({ folded: ['before sign'], fused: ['hidden'], same: true });
  expect(unfolded).toEqual({ folded: [], fused: [], same: true });
  expect(result.plain).toEqual({ safetensors: true, onnx: true, tflite: true });
}

describe("a guest's quantizer, optimizer, penalty, loss, layers and hook", () => {
  test('train, stop, go on, are saved, loaded, folded, tapped and measured in Node', async () => {
    using gpu = await requestGpu();
    expectWhole(await study(gpu));
  });

  test('and in Chrome', async () => {
    await using chrome = await launchChrome();
    await using server = await servePages();
    const { page, errors } = await chrome.open(`${server.url}/test/pages/load.html`);
    const result = (await page.evaluate(`(async () => {
      const [{ Gpu }, { study }] = await Promise.all([import('/src/index.ts'), import('/test/guest/study.ts')]);
      return study(await Gpu.request());
    })()`)) as Study;
    expectWhole(result);
    expect(errors).toEqual([]);
  });
});
