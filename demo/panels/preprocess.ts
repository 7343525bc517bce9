/**
 * A drawing as MNIST would have it: the bounding box of the ink is scaled to fit 20×20 with its aspect ratio kept, and
 * placed in 28×28 so that its centre of mass is in the middle (LeCun et al. 1998, and the description of MNIST).
 */

export const SIDE = 28;
const BOX = 20;
/** Ink below this is a smear of the pen's soft edge. */
const THRESHOLD = 16;

/**
 * @param ink u8 [height, width], 0 paper to 255 ink
 * @returns u8 [28, 28], or undefined when nothing is drawn
 */
export function mnistFromInk(
  ink: ArrayLike<number>,
  width: number,
  height: number,
): Uint8Array<ArrayBuffer> | undefined {
  const box = boundingBox(ink, width, height);
  if (box === undefined) return undefined;
  const scale = BOX / Math.max(box.width, box.height);
  const columns = Math.max(1, Math.round(box.width * scale));
  const rows = Math.max(1, Math.round(box.height * scale));
  const small = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      small[y * columns + x] = areaMean(ink, width, {
        left: box.left + (x * box.width) / columns,
        top: box.top + (y * box.height) / rows,
        width: box.width / columns,
        height: box.height / rows,
      });
    }
  }
  const centre = centreOfMass(small, columns, rows);
  const clamp = (offset: number, extent: number) => Math.max(0, Math.min(SIDE - extent, offset));
  const left = clamp(Math.round(SIDE / 2 - centre.x), columns);
  const top = clamp(Math.round(SIDE / 2 - centre.y), rows);
  const image = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      image[(top + y) * SIDE + left + x] = Math.round(small[y * columns + x] ?? 0);
    }
  }
  return image;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function boundingBox(ink: ArrayLike<number>, width: number, height: number): Box | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((ink[y * width + x] ?? 0) < THRESHOLD) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Mean of a rectangle with fractional edges. */
function areaMean(ink: ArrayLike<number>, stride: number, { left, top, width, height }: Box): number {
  let sum = 0;
  for (let y = Math.floor(top); y < top + height; y++) {
    const tall = Math.min(y + 1, top + height) - Math.max(y, top);
    for (let x = Math.floor(left); x < left + width; x++) {
      const wide = Math.min(x + 1, left + width) - Math.max(x, left);
      sum += tall * wide * (ink[y * stride + x] ?? 0);
    }
  }
  return sum / (width * height);
}

/** In pixels from the corner; a pixel's mass is at its middle. */
function centreOfMass(image: Float64Array, columns: number, rows: number): { x: number; y: number } {
  let [mass, x, y] = [0, 0, 0];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = image[row * columns + column] ?? 0;
      mass += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return { x: x / mass, y: y / mass };
}
