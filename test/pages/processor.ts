/** A page that classifies a drawn digit and searches among vectors, on whatever the browser has. */
import { loadModel } from '../../src/inference.ts';
import { itemWords, nearestWords } from '../../src/vectors.ts';

export interface Answer {
  readonly name: string;
  readonly engine: string;
  readonly hasAdapter: boolean;
  readonly threads: number | undefined;
  readonly scores: readonly number[];
}

declare global {
  interface Window {
    /** Draws a line of points, and says what it looks like. */
    classify(
      urls: readonly string[],
      line: readonly (readonly [number, number])[],
      threads?: number,
    ): Promise<Answer>;
    /** Finds rows of a memory among all of its rows. */
    nearest(rows: readonly number[]): Promise<number[]>;
  }
}

window.nearest = async (rows) => {
  const bits = 1000;
  const keys = itemWords({ rows: 2000, bits, seed: 1 });
  const each = Math.ceil(bits / 32);
  const asked = Uint32Array.from(rows.flatMap((row) => [...keys.subarray(row * each, (row + 1) * each)]));
  return [...(await nearestWords(asked, keys, bits, 1)).keys];
};

window.classify = async (urls, line, threads) => {
  const canvas = document.querySelector('canvas') as HTMLCanvasElement;
  const pen = canvas.getContext('2d') as CanvasRenderingContext2D;
  pen.fillStyle = 'black';
  pen.fillRect(0, 0, 28, 28);
  Object.assign(pen, { strokeStyle: 'white', lineWidth: 2.5, lineCap: 'round', lineJoin: 'round' });
  pen.beginPath();
  for (const [x, y] of line) pen.lineTo(x, y);
  pen.stroke();
  const { data } = pen.getImageData(0, 0, 28, 28);
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => data[4 * i] ?? 0);
  const loaded = await loadModel(urls);
  const classifier = await loaded.createClassifier(threads === undefined ? undefined : { threads });
  const { results, scores } = await classifier.classify(pixels, { top: 1 });
  const adapter = await navigator.gpu?.requestAdapter();
  const answer = {
    name: results[0]?.[0]?.name ?? '',
    engine: classifier.engine,
    hasAdapter: adapter !== undefined && adapter !== null,
    threads: (classifier.network as { readonly threads?: number }).threads,
    scores: [...scores],
  };
  classifier.dispose();
  return answer;
};
