/** The canvas to draw on: pointer of any kind, or the keyboard; ink as bytes. */
import { mnistFromInk, SIDE } from './preprocess.ts';

/** Width of the pen relative to the pad: about two of MNIST's pixels of twenty. */
const PEN = 0.085;

export class Pad {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #changed: () => void;
  #last: { x: number; y: number } | undefined;
  /** Position of the keyboard's pen. */
  #cursor = { x: 0.5, y: 0.5 };
  /** A test image stands in place of a drawing until the next stroke. */
  #sample: Uint8Array<ArrayBuffer> | undefined;

  constructor(canvas: HTMLCanvasElement, changed: () => void) {
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('This browser has no 2-D canvas.');
    this.#canvas = canvas;
    this.#context = context;
    this.#changed = changed;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.#last = undefined;
      this.#strokeTo(this.#place(event));
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const part of events.length > 0 ? events : [event]) this.#strokeTo(this.#place(part));
    });
    canvas.addEventListener('keydown', (event) => this.#key(event));
  }

  clear(): void {
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#sample = undefined;
    this.#last = undefined;
    this.#changed();
  }

  /** Puts a finished image u8 [28, 28] on the pad; it is seen as it is. */
  show(image: Uint8Array<ArrayBuffer>): void {
    const { width, height } = this.#canvas;
    const small = new OffscreenCanvas(SIDE, SIDE);
    small.getContext('2d')?.putImageData(inkImage(image), 0, 0);
    this.#context.clearRect(0, 0, width, height);
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(small, 0, 0, width, height);
    this.#sample = image;
    this.#last = undefined;
    this.#changed();
  }

  /** u8 [28, 28] as MNIST would have it, or undefined when the pad is empty. */
  image(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#sample !== undefined) return this.#sample;
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    const ink = new Uint8Array(width * height);
    for (let i = 0; i < ink.length; i++) ink[i] = data[4 * i + 3] ?? 0;
    return mnistFromInk(ink, width, height);
  }

  /** Where a pointer is, 0 to 1 on both axes. */
  #place(event: PointerEvent): { x: number; y: number } {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
  }

  #strokeTo(to: { x: number; y: number }): void {
    const { width, height } = this.#canvas;
    const context = this.#context;
    if (this.#sample !== undefined) {
      context.clearRect(0, 0, width, height);
      this.#sample = undefined;
    }
    const from = this.#last ?? to;
    // The page inverts the pad's ink in a dark scheme: what is stored is alpha.
    context.strokeStyle = '#000';
    context.lineWidth = PEN * width;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(from.x * width, from.y * height);
    context.lineTo(to.x * width, to.y * height);
    context.stroke();
    this.#last = to;
    this.#cursor = to;
    this.#changed();
  }

  #key(event: KeyboardEvent): void {
    const step = 1 / SIDE;
    const move = {
      ArrowLeft: { x: -step, y: 0 },
      ArrowRight: { x: step, y: 0 },
      ArrowUp: { x: 0, y: -step },
      ArrowDown: { x: 0, y: step },
    }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const clamp = (value: number) => Math.max(0.1, Math.min(0.9, value));
    const from = this.#cursor;
    const to = { x: clamp(from.x + move.x), y: clamp(from.y + move.y) };
    if (event.shiftKey) {
      this.#last = from;
      this.#strokeTo(to);
    }
    this.#cursor = to;
    const mark = this.#canvas.parentElement?.style;
    mark?.setProperty('--pen-x', String(to.x));
    mark?.setProperty('--pen-y', String(to.y));
  }
}

/** Black ink of a u8 [28, 28] image, as alpha. */
export function inkImage(image: Uint8Array<ArrayBuffer>): ImageData {
  const pixels = new ImageData(SIDE, SIDE);
  for (const [index, ink] of image.entries()) pixels.data[4 * index + 3] = ink;
  return pixels;
}

/** Brightness of a u8 [28, 28] image. */
export function greyImage(image: Uint8Array<ArrayBuffer>): ImageData {
  const pixels = new ImageData(SIDE, SIDE);
  for (const [index, grey] of image.entries()) pixels.data.set([grey, grey, grey, 255], 4 * index);
  return pixels;
}
