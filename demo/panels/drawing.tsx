/** The pad to draw a digit on, and what both networks take it for. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { drawing, look, nextHeldOut, prepared, scores } from '../state/studio.ts';
import { inkImage, Pad } from './pad.ts';
import { Surface } from './surface.tsx';

export function DrawingPanel() {
  const pad = useRef<Pad | undefined>(undefined);
  const hint = useSignal(
    'Mouse, finger or pen; or focus the pad, move with the arrow keys, draw with Shift.',
  );

  const onMade = (canvas: HTMLCanvasElement) => {
    const made = new Pad(canvas, () => look(made.image()));
    pad.current = made;
    // What was drawn before another view was shown.
    if (drawing.value !== undefined) made.show(drawing.value);
  };

  const sample = async () => {
    const held = await nextHeldOut();
    if (held === undefined) return;
    hint.value = `Held-out image ${held.index} is ${held.name}.`;
    pad.current?.show(held.image);
  };

  return (
    <section class="panel" aria-labelledby="drawing-title">
      <h2 id="drawing-title">
        {prepared.value?.pictures === undefined ? 'Draw a digit' : 'Draw, or try a test image'}
      </h2>
      <div class="drawing">
        <div class="pad">
          <Surface id="pad" onMade={onMade} />
          <div class="actions">
            <button type="button" id="clear" onClick={() => pad.current?.clear()}>
              Clear
            </button>
            <button
              type="button"
              id="sample"
              disabled={prepared.value === undefined}
              onClick={() => void sample()}
            >
              A test image
            </button>
          </div>
        </div>
        <Answer />
      </div>
      <p class="hint" data-field="hint">
        {hint}
      </p>
    </section>
  );
}

function Answer() {
  const seen = useRef<HTMLCanvasElement>(null);
  const image = drawing.value;
  useLayoutEffect(() => {
    const context = seen.current?.getContext('2d', { willReadFrequently: true });
    context?.clearRect(0, 0, 28, 28);
    if (image !== undefined) context?.putImageData(inkImage(image), 0, 0);
  }, [image]);
  const { binary, twin } = scores.value ?? {};
  return (
    <div class="answer">
      <p class="verdict">
        <span class="digit" data-field="class" aria-live="polite">
          {best(binary)}
        </span>
        <canvas
          id="seen"
          ref={seen}
          width="28"
          height="28"
          role="img"
          style={{ visibility: image === undefined ? 'hidden' : 'visible' }}
          aria-label="The drawing as the network sees it"
        />
      </p>
      <Bars id="bars" scores={binary} label="Score of each class, by the binary network" />
      {twin !== undefined && (
        <p class="hint" data-field="twin-class">
          The network of real numbers takes it for {best(twin)}.
        </p>
      )}
    </div>
  );
}

const best = (scores: Float32Array | undefined) => {
  if (scores === undefined) return '–';
  const index = scores.indexOf(Math.max(...scores));
  return prepared.value?.classes[index] ?? String(index);
};

/** A bar for each class, from the lowest score that is asked of a network (−1) to the highest (+1) or beyond. */
function Bars(given: {
  readonly id: string;
  readonly scores: Float32Array | undefined;
  readonly label: string;
}) {
  const values = given.scores ?? [];
  const low = Math.min(-1, ...values);
  const high = Math.max(1, ...values);
  const first = best(given.scores);
  return (
    <ol class="bars" id={given.id} aria-label={given.label}>
      {(prepared.value?.classes ?? Array.from({ length: 10 }, String)).map((name, index) => {
        const score = given.scores?.[index];
        const share = score === undefined ? '0' : ((score - low) / (high - low)).toFixed(3);
        return (
          <li key={name} class={first === name ? 'best' : ''} style={{ '--share': share }}>
            <span>{name}</span>
            <span class="track" />
            <span class="score">{score === undefined ? '' : score.toFixed(2).replace('-', '−')}</span>
          </li>
        );
      })}
    </ol>
  );
}
