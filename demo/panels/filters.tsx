/** Filters of the first layer as pictures of signs, with those that flipped of late in colour. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { filters, prepared } from '../state/studio.ts';
import type { Filters } from '../worker/protocol.ts';
import { theme } from './theme.ts';

/** Steps after which a flip is not coloured any more. */
const FRESH = 60;
const COLUMNS = 16;

export function FiltersPanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = filters.value;
  const { ink, surface, series } = theme.value;
  const [, fresh = ink] = series;
  useLayoutEffect(() => {
    if (canvas.current !== null && shown !== undefined) paint(canvas.current, shown, { ink, surface, fresh });
  }, [shown, ink, surface, fresh]);
  const steps = prepared.value?.steps;
  return (
    <section class="panel wide" aria-labelledby="filters-title">
      <h2 id="filters-title">What the first layer looks for</h2>
      <p class="hint">
        {shown === undefined
          ? 'The filters are shown when a network is there.'
          : `The first ${shown.count} filters of ${shown.layer} at step ${shown.step}${steps === undefined ? '' : ` of ${steps}`}: +1 in the colour of the text, −1 in that of the page; another colour marks signs that flipped within the last ${FRESH} steps. ${shown.flipped.toLocaleString('en')} signs of the layer flipped since the picture before.`}
      </p>
      <canvas
        class="filters"
        id="filters"
        ref={canvas}
        role="img"
        data-step={shown?.step}
        data-flipped={shown?.flipped}
        aria-label={`Signs of the first ${shown?.count ?? 0} filters`}
      />
    </section>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  { count, width, height, signs }: Filters,
  colours: { readonly ink: string; readonly surface: string; readonly fresh: string },
): void {
  const columns = Math.min(COLUMNS, count);
  const rows = Math.ceil(count / columns);
  canvas.width = columns * (width + 1) - 1;
  canvas.height = rows * (height + 1) - 1;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const [ink, surface, fresh] = [
    rgb(context, colours.ink),
    rgb(context, colours.surface),
    rgb(context, colours.fresh),
  ];
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let filter = 0; filter < count; filter++) {
    const left = (filter % columns) * (width + 1);
    const top = Math.floor(filter / columns) * (height + 1);
    for (let at = 0; at < width * height; at++) {
      const sign = signs[filter * width * height + at] ?? 0;
      const base = sign > 0 ? ink : surface;
      const share = Math.max(0, 1 - (Math.abs(sign) - 1) / FRESH);
      const place = 4 * ((top + Math.floor(at / width)) * canvas.width + left + (at % width));
      for (let channel = 0; channel < 3; channel++) {
        const own = base[channel] ?? 0;
        picture.data[place + channel] = own + share * ((fresh[channel] ?? 0) - own);
      }
      picture.data[place + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}

/** Channels of a colour as a style sheet says it, which a canvas says as `#rrggbb`. */
function rgb(context: CanvasRenderingContext2D, colour: string): number[] {
  context.fillStyle = colour;
  const number = Number.parseInt(String(context.fillStyle).slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
