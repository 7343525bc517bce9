/** Pictures that tests draw: shapes in colour, bright on dark, anywhere near the middle. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { pcg4d } from '../../src/numerics/random.ts';

export const uniform = (stream: number, i: number) => pcg4d(21, stream, i, 0)[0] / 2 ** 32;

const SIZE = 16;
const SHAPES: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  cross: (x, y) => (Math.abs(x) < 1.6 || Math.abs(y) < 1.6) && Math.abs(x) + Math.abs(y) < 7,
  disc: (x, y) => x * x + y * y < 22,
  'hollow square': (x, y) =>
    Math.max(Math.abs(x), Math.abs(y)) < 6 && Math.max(Math.abs(x), Math.abs(y)) > 3.6,
};

/** One of them, as PNG; the same for the same number. */
export function picture(shape: string, i: number, size = SIZE): Uint8Array {
  const stream = Object.keys(SHAPES).indexOf(shape) * 1000 + i;
  const data = new Uint8Array(size * size * 3);
  const [cx, cy] = [size / 2 + 2 * uniform(stream, 0) - 1, size / 2 + 2 * uniform(stream, 1) - 1];
  for (let p = 0; p < size * size; p++) {
    const isOn = SHAPES[shape]?.((p % size) - cx, Math.floor(p / size) - cy) === true;
    for (let c = 0; c < 3; c++) {
      const colour = isOn ? 130 + 110 * uniform(stream, 2 + c) : 70 * uniform(stream, 5 + c);
      data[3 * p + c] = colour + 15 * uniform(stream, 100 + 3 * p + c);
    }
  }
  return encode({ width: size, height: size, data, channels: 3, depth: 8 });
}

/** A folder of them for each shape, by name. */
export function drawShapes(root: string, from: number, count: number, size = SIZE): void {
  for (const shape of Object.keys(SHAPES)) {
    mkdirSync(join(root, shape), { recursive: true });
    for (let i = 0; i < count; i++)
      writeFileSync(join(root, shape, `${from + i}.png`), picture(shape, from + i, size));
  }
}
