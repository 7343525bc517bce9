/** Filters of the first layer as pictures of signs, with those that flipped of late in colour. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { filters, prepared } from '../state/studio.ts';
import { FRESH, paintSigns } from './signs.ts';
import { theme } from './theme.ts';

export function FiltersPanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shown = filters.value;
  const { ink, surface, series } = theme.value;
  const [, fresh = ink] = series;
  useLayoutEffect(() => {
    if (canvas.current !== null && shown !== undefined)
      paintSigns(canvas.current, shown, { ink, surface, fresh });
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
