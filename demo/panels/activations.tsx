/** What the layers make of the picture that was drawn last: the signs that each of them reads. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { activations, drawing, look, nextHeldOut, phase, prepared } from '../state/studio.ts';
import type { LayerSigns } from '../worker/protocol.ts';
import { Picture } from './picture.tsx';
import { paintSigns } from './signs.ts';
import { theme } from './theme.ts';

export function ActivationsPanel() {
  const image = drawing.value;
  return (
    <section class="panel wide" aria-labelledby="activations-title">
      <div class="title">
        <h2 id="activations-title">What the layers make of a picture</h2>
        <button
          type="button"
          id="activate"
          disabled={prepared.value === undefined || phase.value === 'preparing'}
          onClick={async () => look((await nextHeldOut())?.image)}
        >
          A test image
        </button>
      </div>
      <p class="hint">
        The signs that each layer reads: +1 in the colour of the text, −1 in that of the page, packed 32 to a
        word. Draw under “Train”, or take a test image.
      </p>
      <div class="activations" id="activations">
        {image !== undefined && (
          <figure>
            <Picture
              image={image}
              label="The picture that goes in"
              isInk={prepared.value?.pictures === undefined}
            />
            <figcaption>the picture</figcaption>
          </figure>
        )}
        {image !== undefined && activations.value.map((layer) => <Signs key={layer.layer} layer={layer} />)}
      </div>
    </section>
  );
}

function Signs({ layer }: { readonly layer: LayerSigns }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { ink, surface } = theme.value;
  useLayoutEffect(() => {
    if (canvas.current !== null) paintSigns(canvas.current, layer, { ink, surface, fresh: ink });
  }, [layer, ink, surface]);
  const { count, width, height, negative } = layer;
  const bits = count * width * height;
  const said = `${layer.layer} reads ${count === 1 ? `${bits} signs` : `${count} maps of ${height}×${width}`}, ${Math.round((100 * negative) / bits)} % of them −1`;
  return (
    <figure>
      <canvas ref={canvas} role="img" aria-label={said} data-layer={layer.layer} />
      <figcaption>{said}</figcaption>
    </figure>
  );
}
