/** A model file from elsewhere: what it is made of, what folds, and what it takes a picture for. */
import { useSignal } from '@preact/signals';
import { closeCamera } from '../state/camera.ts';
import { model, modelTrouble, openModel, recognised, recognisePicture } from '../state/studio.ts';
import { kilobytes } from '../state/words.ts';
import type { OpenedModel } from '../worker/protocol.ts';
import { Live } from './camera.tsx';
import { Details } from './notice.tsx';

/** Larger files are refused: a page holds all of one. */
const MOST_BYTES = 256e6;

export function ModelPanel() {
  const tooLarge = useSignal<string | undefined>(undefined);
  const take = (files: readonly File[]) => {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    tooLarge.value =
      bytes > MOST_BYTES
        ? `${kilobytes(bytes)} is more than a page can hold: use the command line, npx webgpu-bnn run`
        : undefined;
    if (files.length > 0 && tooLarge.value === undefined) void openModel(files);
  };
  const wrong = modelTrouble.value;
  return (
    <>
      <section
        class="panel wide"
        aria-labelledby="model-title"
        id="model-drop"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          take([...(event.dataTransfer?.files ?? [])]);
        }}
      >
        <h2 id="model-title">Open a model</h2>
        <p class="hint">
          Drop a file here, or choose one: .safetensors of this library, .onnx with QONNX or FINN operators,
          .tflite of Larq or plain, a zip of BNN-PYNQ. It stays in this browser.
        </p>
        <p class="actions">
          <label>
            Model file
            <input
              type="file"
              id="model-file"
              multiple
              accept=".safetensors,.onnx,.tflite,.zip,.bin,.data"
              onChange={({ currentTarget }) => take([...(currentTarget.files ?? [])])}
            />
          </label>
        </p>
        {tooLarge.value !== undefined && (
          <p role="alert" class="errors">
            {tooLarge}
          </p>
        )}
      </section>
      {wrong !== undefined && (
        <section class="notice" id="model-trouble" role="alert">
          <h2>{wrong.what}</h2>
          <Details wrong={wrong} />
        </section>
      )}
      {model.value !== undefined && <Model opened={model.value} />}
    </>
  );
}

function Model({ opened }: { readonly opened: OpenedModel }) {
  const { name, format, bytes, engine, layers, folded, kept, classes, takesPictures } = opened;
  return (
    <section class="panel wide" aria-labelledby="graph-title" id="model">
      <h2 id="graph-title">{name}</h2>
      <p class="hint">
        {format}, {kilobytes(bytes)}, on {engine === 'wasm' ? 'the processor, in WebAssembly' : 'the GPU'}.{' '}
        {folded.length} of its layers became integer thresholds or nothing
        {kept.length === 0
          ? '.'
          : `; ${kept.map(({ layer, reason }) => `${layer} stays: ${reason}`).join('; ')}.`}
        {classes !== undefined && ` Classes: ${classes.join(', ')}.`}
      </p>
      {takesPictures ? (
        <Picture side={Math.max(...opened.input.slice(0, 2))} />
      ) : (
        <p class="hint">
          It takes {opened.input.join(' × ')} numbers, and does not say how pictures become them: pictures
          can't be shown to it here.
        </p>
      )}
      <div class="scroll">
        <table id="graph">
          <thead>
            <tr>
              {['Layer', 'Kind', 'Gives', 'Weights of 1 bit', 'of 32 bits', 'Binary operations', 'Real'].map(
                (title) => (
                  <th scope="col" key={title}>
                    {title}
                  </th>
                ),
              )}
            </tr>
          </thead>
          <tbody>
            {layers.map((layer) => (
              <tr key={layer.name}>
                <th scope="row">{layer.name}</th>
                <td>{layer.kind}</td>
                <td>{layer.shape.join(' × ')}</td>
                {[layer.binary, layer.real, layer.binaryOperations, layer.realOperations].map(
                  (count, index) => (
                    <td key={index}>{count.toLocaleString('en')}</td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Picture({ side }: { readonly side: number }) {
  const found = recognised.value;
  const look = async (picture: File) => {
    await recognisePicture(picture);
    // What it can't take of one picture it can't take of the next.
    if (modelTrouble.value !== undefined) closeCamera();
  };
  return (
    <>
      <Live side={side} look={look} />
      <p class="actions">
        <label>
          A picture
          <input
            type="file"
            id="picture"
            accept="image/*"
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file !== undefined) void recognisePicture(file);
            }}
          />
        </label>
      </p>
      {found !== undefined && (
        <>
          <ol id="recognised">
            {found.classes.map(({ name, score }) => (
              <li key={name}>
                {name}: {score.toFixed(3)}
              </li>
            ))}
          </ol>
          <p class="hint" data-field="recognised-in">
            {found.milliseconds.toFixed(1)} ms
          </p>
        </>
      )}
    </>
  );
}
