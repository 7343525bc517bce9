/** Drawings as data: samples of each class, drawn by mouse, finger, pen or keyboard. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { addMade, groups, removeFile } from '../state/pictures.ts';
import { greyImage, Pad } from './pad.ts';
import { Picture } from './picture.tsx';
import { SIDE } from './preprocess.ts';
import { Surface } from './surface.tsx';

/** @param named the class that is named now; @param onNamed told of the class that a drawing went to */
export function Samples({ named, onNamed }: { named: string; onNamed: (name: string) => void }) {
  const pad = useRef<Pad | undefined>(undefined);
  const image = useSignal<Uint8Array<ArrayBuffer> | undefined>(undefined);
  const last = useSignal<{ readonly name: string; readonly file: File } | undefined>(undefined);
  const add = async (name: string) => {
    if (image.value === undefined) return;
    const count = groups.value.reduce((sum, { files }) => sum + files.length, 0);
    const drawn = image.value;
    pad.current?.clear();
    const file = await fileOf(drawn, `drawing ${String(count + 1).padStart(4, '0')}.png`);
    addMade(file, name);
    last.value = { name, file };
    onNamed(name);
  };
  const classes = [...new Set([...groups.value.map(({ name }) => name), named])];
  return (
    <div class="samples">
      <h3>Draw samples</h3>
      <p class="hint">
        Draw one, and say which class it is of. By keyboard: arrow keys move the pen, Shift draws, Enter adds
        to {named}. Drawings and the camera's pictures stay here over a reload, until you remove them.
      </p>
      <div class="drawing">
        <div class="pad">
          <Surface
            id="sample-pad"
            onEnter={() => void add(named)}
            onMade={(canvas) => {
              const made = new Pad(canvas, () => {
                image.value = made.image();
              });
              pad.current = made;
            }}
          />
        </div>
        <div>
          <p class="actions" id="add-drawing">
            {classes.map((name) => (
              <button
                type="button"
                key={name}
                data-class={name}
                disabled={image.value === undefined}
                onClick={() => void add(name)}
              >
                Add to {name}
              </button>
            ))}
          </p>
          <p class="actions">
            <button type="button" id="clear-drawing" onClick={() => pad.current?.clear()}>
              Clear
            </button>
            <button
              type="button"
              id="undo-drawing"
              disabled={last.value === undefined}
              onClick={() => {
                if (last.value !== undefined) removeFile(last.value.file);
                last.value = undefined;
              }}
            >
              Take the last one back
            </button>
          </p>
          <p class="hint" role="status" data-field="drawn">
            {last.value !== undefined && `Added to ${last.value.name}, which has ${sizeOf(last.value.name)}.`}
          </p>
          {image.value !== undefined && (
            <div class="thumbnails">
              <Picture image={image.value} label="The drawing as the network sees it" isInk={false} />
            </div>
          )}
        </div>
      </div>
    </div>
  );
}

/** `3 pictures`, as lists of classes say it. */
export const counted = (count: number) => (count === 1 ? '1 picture' : `${count} pictures`);

const sizeOf = (name: string) =>
  counted(groups.value.find((group) => group.name === name)?.files.length ?? 0);

/** A drawing as a picture file: bright ink on dark, as MNIST has it. */
async function fileOf(image: Uint8Array<ArrayBuffer>, name: string): Promise<File> {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  canvas.getContext('2d')?.putImageData(greyImage(image), 0, 0);
  return new File([await canvas.convertToBlob({ type: 'image/png' })], name, { type: 'image/png' });
}
