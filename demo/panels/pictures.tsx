/** Pictures of the visitor's own: collected by class, read, shown as the network sees them, and trained with. */
import { useSignal } from '@preact/signals';
import { IDX_FILES } from '../../src/data/idx.ts';
import { unkept, unwritten } from '../state/collection.ts';
import {
  addFiles,
  addMade,
  chosenFiles,
  droppedFiles,
  groups,
  removeGroup,
  renameGroup,
} from '../state/pictures.ts';
import {
  learnIdx,
  learnMnist,
  learnPictures,
  own,
  phase,
  pictureTrouble,
  reading,
  settings,
} from '../state/studio.ts';
import type { OwnPictures } from '../worker/protocol.ts';
import { Shots } from './camera.tsx';
import { Details } from './notice.tsx';
import { Picture } from './picture.tsx';
import { counted, Samples } from './samples.tsx';

export function PicturesPanel() {
  const className = useSignal('');
  const skipBroken = useSignal(false);
  const fixed = !['ready', 'failed'].includes(phase.value);
  const take = (found: ReturnType<typeof chosenFiles>) => {
    if (found.length === 0) return;
    addFiles(found, className.value);
    className.value = '';
  };
  const choose = ({ currentTarget }: { readonly currentTarget: HTMLInputElement }) => {
    take(chosenFiles(currentTarget.files ?? []));
    // The same files may be chosen again.
    currentTarget.value = '';
  };
  const named = className.value.trim() || `class ${groups.value.length + 1}`;
  // What is made here goes to one class, until another is named.
  const onNamed = (name: string) => {
    className.value = name;
  };
  const wrong = pictureTrouble.value;
  return (
    <>
      <section
        class="panel wide"
        aria-labelledby="pictures-title"
        id="pictures-drop"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          void droppedFiles(event.dataTransfer?.items ?? []).then(take);
        }}
      >
        <h2 id="pictures-title">Your own pictures</h2>
        <p class="hint">
          Drop pictures or folders here, or choose them. The folder that a picture lies in is its class;
          pictures without a folder, drawings and what the camera takes get the class that you name. They stay
          in this browser.
        </p>
        <div class="chooser">
          <label>
            A folder of pictures, or of a folder for each class
            <input
              type="file"
              id="picture-folder"
              multiple
              {...{ webkitdirectory: true }}
              onChange={choose}
            />
          </label>
          <label>
            Class of what comes next
            <input
              id="class-name"
              value={className}
              placeholder={`class ${groups.value.length + 1}`}
              onInput={({ currentTarget }) => {
                className.value = currentTarget.value;
              }}
            />
          </label>
          <label>
            Single pictures
            <input type="file" id="picture-files" accept="image/*" multiple onChange={choose} />
          </label>
        </div>
        <Samples named={named} onNamed={onNamed} />
        <Shots
          onTaken={(file) => {
            onNamed(named);
            addMade(file, named);
          }}
        />
        {groups.value.length > 0 && (
          <ul class="groups" id="groups" aria-busy={unwritten.value > 0}>
            {groups.value.map(({ name, files }, index) => (
              <li key={index}>
                <input
                  aria-label={`Name of class ${index + 1}`}
                  value={name}
                  onChange={({ currentTarget }) => renameGroup(index, currentTarget.value)}
                />
                <span>{counted(files.length)}</span>
                <button type="button" aria-label={`Remove ${name}`} onClick={() => removeGroup(index)}>
                  ×
                </button>
              </li>
            ))}
          </ul>
        )}
        <label class="choice">
          <input
            type="checkbox"
            name="skip-broken"
            checked={skipBroken}
            onChange={({ currentTarget }) => {
              skipBroken.value = currentTarget.checked;
            }}
          />
          Leave out what can not be read
        </label>
        <p class="actions">
          <button
            type="button"
            class="primary"
            id="learn-pictures"
            disabled={fixed || reading.value || groups.value.length === 0}
            onClick={() => void learnPictures(groups.value, skipBroken.value)}
          >
            {reading.value ? 'Reading …' : 'Learn these'}
          </button>
          {settings.value.pictures !== undefined && (
            <button type="button" id="learn-mnist" disabled={fixed} onClick={() => void learnMnist()}>
              Back to MNIST
            </button>
          )}
        </p>
        {unkept.value !== undefined && (
          <div class="notice" id="unkept" role="status">
            <h3>{unkept.value.what}</h3>
            <Details wrong={unkept.value} />
          </div>
        )}
        {fixed && <p class="hint">Other data can be chosen once the training is reset.</p>}
      </section>
      <IdxPanel fixed={fixed} />
      {wrong !== undefined && (
        <section class="notice" id="picture-trouble" role="alert">
          <h2>{wrong.what}</h2>
          <Details wrong={wrong} />
        </section>
      )}
      {own.value !== undefined && <Own pictures={own.value} />}
    </>
  );
}

/** Fashion-MNIST (Xiao, Rasul and Vollgraf 2017). */
const FASHION = 'T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot';

function IdxPanel({ fixed }: { readonly fixed: boolean }) {
  const names = useSignal(FASHION);
  return (
    <section class="panel wide" aria-labelledby="idx-title">
      <h2 id="idx-title">Fashion-MNIST, and others in its format</h2>
      <p class="hint">
        Four files, as MNIST has them: {Object.values(IDX_FILES).join(', ')}; packed (.gz) or not. They stay
        in this browser.
      </p>
      <div class="chooser">
        <label>
          Names of the classes, in their order
          <input
            id="idx-names"
            value={names}
            onInput={({ currentTarget }) => {
              names.value = currentTarget.value;
            }}
          />
        </label>
        <label>
          The four files
          <input
            type="file"
            id="idx-files"
            multiple
            disabled={fixed || reading.value}
            onChange={({ currentTarget }) => {
              const classes = names.value.split(',').map((name) => name.trim());
              const files = [...(currentTarget.files ?? [])];
              // The same files may be chosen again, with other names.
              currentTarget.value = '';
              if (files.length > 0) void learnIdx(files, classes);
            }}
          />
        </label>
      </div>
    </section>
  );
}

function Own({ pictures: { classes, skipped } }: { readonly pictures: OwnPictures }) {
  return (
    <section class="panel wide" aria-labelledby="own-title" id="own">
      <h2 id="own-title">What the network learns</h2>
      <p class="hint">
        Grey and 28×28, as it sees them. Those that are held out test it.
        {skipped.length > 0 && ` Left out: ${skipped.map(({ path, why }) => `${path} (${why})`).join(', ')}`}
      </p>
      {classes.map(({ name, train, test, shown }) => (
        <figure key={name} data-class={name}>
          <figcaption>
            <b>{name}</b> {train} to learn, {test} held out
          </figcaption>
          <div class="thumbnails">
            {shown.map((image, index) => (
              <Picture key={index} image={image} label={`${name}, picture ${index + 1}`} isInk={false} />
            ))}
          </div>
        </figure>
      ))}
    </section>
  );
}
