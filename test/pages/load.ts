/** The page that tests load models in, as a page of somebody's own would. */
import { zipSync } from 'fflate';
import {
  encodeModel,
  Gpu,
  initialValues,
  type LoadProgress,
  loadModel,
  mlp,
  PIXEL_RANGES,
} from '../../src/index.ts';

export interface Loaded {
  readonly format: string;
  readonly scores: readonly number[];
  readonly best: string | undefined;
  readonly progress: readonly LoadProgress[];
}

declare global {
  interface Window {
    loadFrom(url: string, pixels: readonly number[]): Promise<Loaded>;
    /** A model file and an archive of it, from the memory of the page. */
    ownFiles(): string[];
    errorOf(url: string): Promise<{ code: string; message: string }>;
  }
}

window.loadFrom = async (url, pixels) => {
  const progress: LoadProgress[] = [];
  const loaded = await loadModel(url, { onProgress: (report) => progress.push(report) });
  using gpu = await Gpu.request();
  using classifier = await loaded.createClassifier(gpu);
  const { results, scores } = await classifier.classify(Uint8Array.from(pixels), {
    top: 1,
    pixels: loaded.pixels ?? '0:1',
  });
  return { format: loaded.format, scores: [...scores], best: results[0]?.[0]?.name, progress };
};

window.ownFiles = () => {
  const model = mlp({ input: [28, 28, 1], classes: 10, units: 64 });
  const bytes = encodeModel(model, initialValues(model, 21), { pixels: PIXEL_RANGES['-1:1'] });
  return [bytes, new Uint8Array(zipSync({ 'mlp.safetensors': bytes }))].map((part) =>
    URL.createObjectURL(new Blob([part])),
  );
};

window.errorOf = (url) =>
  loadModel(url).then(
    () => ({ code: 'none', message: '' }),
    (error: unknown) => ({
      code: error instanceof Error && 'code' in error ? String(error.code) : 'unknown',
      message: String(error),
    }),
  );
