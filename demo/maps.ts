/** Two-dimensional histograms of a layer's dot products: with continuous weights across, with their signs up. */
import type { Comparison, LayerProportionality, PairHistogram } from '../src/index.ts';

/** Pixels of a cell, so that a map is sharp on dense screens. */
const CELL = 8;

interface Map2d {
  readonly figure: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly title: HTMLElement;
  readonly numbers: HTMLElement;
}

/** The maps that a layer has: what they show, and what lies across and up. */
const MAPS = [
  { title: 'Binary weights', across: 'A·w', up: 'A·sign(w)', of: (layer) => layer.weights },
  {
    title: 'The same, data shuffled',
    across: 'A·w',
    up: 'A·sign(w)',
    of: (layer) => layer.permuted?.weights,
  },
  {
    title: 'Binary activations',
    across: 'A·sign(w)',
    up: 'sign(A)·sign(w)',
    of: (layer) => layer.activations,
  },
] as const satisfies readonly {
  title: string;
  across: string;
  up: string;
  of: (layer: LayerProportionality) => Comparison | undefined;
}[];

export class PairMaps {
  readonly #element: HTMLElement;
  readonly #maps: readonly Map2d[];
  #layer: LayerProportionality | undefined;

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#maps = MAPS.map(({ title }) => {
      const figure = document.createElement('figure');
      const canvas = document.createElement('canvas');
      canvas.setAttribute('role', 'img');
      const caption = document.createElement('figcaption');
      const name = document.createElement('b');
      name.textContent = title;
      const numbers = document.createElement('span');
      caption.append(name, numbers);
      figure.append(caption, canvas);
      figure.hidden = true;
      element.append(figure);
      return { figure, canvas, title: name, numbers };
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** Shows a layer as it was at a step. */
  show(layer: LayerProportionality, step: number): void {
    this.#layer = layer;
    this.#element.dataset.step = String(step);
    this.#element.dataset.layer = layer.name;
    this.#draw();
  }

  #draw(): void {
    const layer = this.#layer;
    if (layer === undefined) return;
    const colour = getComputedStyle(document.documentElement).getPropertyValue('--series-1').trim();
    for (const [index, { title, across, up, of }] of MAPS.entries()) {
      const map = this.#maps[index];
      const comparison = of(layer);
      if (map === undefined) continue;
      map.figure.hidden = comparison?.histogram === undefined;
      if (comparison?.histogram === undefined) continue;
      const r = Number.isFinite(comparison.meanR) ? comparison.meanR.toFixed(3) : '–';
      const changes = (100 * comparison.meanSignChange).toFixed(1);
      map.numbers.textContent = `${across} across, ${up} up: r = ${r}, ${changes} % change sign`;
      map.canvas.setAttribute('aria-label', `${layer.name}, ${title}: ${map.numbers.textContent}`);
      paint(map.canvas, comparison.histogram, colour);
    }
  }
}

/** Cells in shades by the logarithm of their counts. */
function paint(canvas: HTMLCanvasElement, { bins, counts }: PairHistogram, colour: string): void {
  canvas.width = bins * CELL;
  canvas.height = bins * CELL;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const most = Math.log1p(Math.max(1, ...counts));
  context.fillStyle = colour;
  for (const [at, count] of counts.entries()) {
    if (count === 0) continue;
    context.globalAlpha = 0.12 + (0.88 * Math.log1p(count)) / most;
    context.fillRect((at % bins) * CELL, (bins - 1 - Math.floor(at / bins)) * CELL, CELL, CELL);
  }
}
