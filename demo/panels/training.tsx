/** What is trained, and how: numbers, layers and methods; and the buttons that start it. */

import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { METHODS_OF, type MethodKind } from '../state/methods.ts';
import { type LayerChoice, MOST_LAYERS, MOST_UNITS } from '../state/network.ts';
import {
  MOST_EPOCHS,
  MY_QUANTIZER,
  NUMBERS,
  SCHEDULES,
  type ScheduleName,
  type Settings,
} from '../state/settings.ts';
import {
  type CopiedLink,
  canMend,
  foreign,
  isOpen,
  linkWithNetwork,
  MORE_EPOCHS,
  outline,
  own,
  type Phase,
  pause,
  phase,
  prepared,
  reset,
  settings,
  standing,
  status,
  train,
  trainOn,
} from '../state/studio.ts';
import { kilobytes } from '../state/words.ts';

const TOGGLE: Partial<Record<Phase, string>> = {
  training: 'Pause',
  pausing: 'Pausing …',
  paused: 'Resume',
  finished: 'Finished',
};

function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
}

export function TrainingPanel() {
  const form = useRef<HTMLFormElement>(null);
  const copied = useSignal<CopiedLink | undefined>(undefined);
  const now = phase.value;
  // What is being trained can't be changed, nor what can go on: Reset first.
  const fixed = !(now === 'ready' || now === 'failed');
  // A network that a link brought has no run to go on with.
  const canGoOn = now === 'finished' && prepared.value?.brought === undefined;
  const { step = 0, steps = 1 } = standing.value ?? {};
  const submit = (event: Event) => {
    event.preventDefault();
    if (now === 'training') pause();
    else void train();
  };
  return (
    <section class="panel" aria-labelledby="training-title">
      <h2 id="training-title">Training</h2>
      <p class="hint" data-field="data">
        {settings.value.pictures === undefined
          ? 'Data: MNIST, handwritten digits'
          : `Data: your pictures of ${own.value?.classes.map(({ name }) => name).join(', ')}`}{' '}
        (<a href="#/pictures">change</a>)
      </p>
      <form id="controls" ref={form} onSubmit={submit}>
        {NUMBERS.map(({ name, label, ...range }) => (
          <label key={name}>
            {label}
            <input
              name={name}
              type="number"
              {...range}
              required
              disabled={fixed}
              value={settings.value[name]}
              onInput={({ currentTarget }) => {
                if (currentTarget.value !== '') change({ [name]: Number(currentTarget.value) });
              }}
            />
          </label>
        ))}
        {(Object.keys(METHODS_OF) as MethodKind[]).map((kind) => (
          <label key={kind}>
            {`${kind[0]?.toUpperCase()}${kind.slice(1)}`}
            <select
              name={kind}
              disabled={fixed}
              value={settings.value[kind]}
              onChange={({ currentTarget }) => change({ [kind]: currentTarget.value })}
            >
              {[...METHODS_OF[kind], ...(kind === 'quantizer' ? [MY_QUANTIZER] : [])].map((name) => (
                <option key={name} value={name} disabled={name === MY_QUANTIZER && foreign.value}>
                  {name === MY_QUANTIZER ? 'my own' : name}
                </option>
              ))}
            </select>
          </label>
        ))}
        <label>
          Rate over time
          <select
            name="schedule"
            disabled={fixed}
            value={settings.value.schedule ?? 'exponential'}
            onChange={({ currentTarget }) => change({ schedule: currentTarget.value as ScheduleName })}
          >
            {SCHEDULES.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </form>
      <Layers fixed={fixed} />
      <label class="choice">
        <input
          type="checkbox"
          name="twin"
          disabled={fixed}
          checked={settings.value.twin}
          onChange={({ currentTarget }) => change({ twin: currentTarget.checked })}
        />
        Train the same network with real numbers beside it, on the same batches
      </label>
      <div class="actions">
        <button
          type="submit"
          form="controls"
          id="toggle"
          class="primary"
          disabled={!['ready', 'training', 'paused'].includes(now) && !canMend.value}
        >
          {TOGGLE[now] ?? 'Start'}
        </button>
        <button
          type="button"
          id="reset"
          disabled={!isOpen.value && now !== 'training'}
          onClick={() => {
            if (form.current?.reportValidity()) void reset();
          }}
        >
          Reset
        </button>
        {canGoOn && (
          <button
            type="button"
            id="more"
            disabled={settings.value.epochs + MORE_EPOCHS > MOST_EPOCHS}
            onClick={() => void trainOn()}
          >
            {MORE_EPOCHS} more epochs
          </button>
        )}
        <button
          type="button"
          id="link"
          onClick={async () => {
            copied.value = await linkWithNetwork();
            // Where that is not allowed, it can be copied by hand.
            await navigator.clipboard?.writeText(copied.value.address).catch(() => undefined);
          }}
        >
          Copy link
        </button>
      </div>
      {copied.value !== undefined && <Link link={copied.value} />}
      {canGoOn && (
        <p class="hint">
          {MORE_EPOCHS} more epochs go on from these weights. The learning rate then falls over all{' '}
          {settings.value.epochs + MORE_EPOCHS} epochs, so that it first rises again: the weights come out
          otherwise than those of a run that was as long from its start.
        </p>
      )}
      <progress id="progress" max="1" value={step / steps} aria-label="Training progress" />
      <p class="status" role="status" data-field="status">
        {status}
      </p>
    </section>
  );
}

function Layers({ fixed }: { readonly fixed: boolean }) {
  const { layers } = settings.value;
  const { total, realBytes, wrong } = outline.value;
  const put = (index: number, layer: LayerChoice) => change({ layers: layers.with(index, layer) });
  return (
    <fieldset class="layers" disabled={fixed}>
      <legend>Hidden layers</legend>
      <ol id="layer-list">
        {layers.map((layer, index) => (
          <li key={index}>
            <select
              aria-label={`Kind of layer ${index + 1}`}
              value={layer.kind}
              onChange={({ currentTarget }) =>
                put(
                  index,
                  currentTarget.value === 'conv'
                    ? { kind: 'conv', units: 32, pool: true }
                    : { kind: 'dense', units: layer.units },
                )
              }
            >
              <option value="dense">dense</option>
              <option value="conv">3×3 convolution</option>
            </select>
            <input
              type="number"
              aria-label={`${layer.kind === 'dense' ? 'Units' : 'Filters'} of layer ${index + 1}`}
              min="1"
              max={MOST_UNITS}
              value={layer.units}
              onInput={({ currentTarget }) => {
                const units = Math.round(Number(currentTarget.value));
                if (units >= 1 && units <= MOST_UNITS) put(index, { ...layer, units });
              }}
            />
            {layer.kind === 'conv' && (
              <label class="choice">
                <input
                  type="checkbox"
                  checked={layer.pool}
                  onChange={({ currentTarget }) => put(index, { ...layer, pool: currentTarget.checked })}
                />
                pool
              </label>
            )}
            <button
              type="button"
              aria-label={`Remove layer ${index + 1}`}
              disabled={layers.length === 1}
              onClick={() => change({ layers: layers.toSpliced(index, 1) })}
            >
              ×
            </button>
          </li>
        ))}
      </ol>
      <button
        type="button"
        disabled={layers.length >= MOST_LAYERS}
        onClick={() => change({ layers: [...layers, { kind: 'dense', units: 128 }] })}
      >
        Add a layer
      </button>
      <p class="hint" data-field="outline">
        {wrong === undefined
          ? `${kilobytes(total?.bytes ?? 0)} with signs, ${kilobytes(realBytes ?? 0)} with real numbers; ${million(total?.operations.binary ?? 0)} binary and ${million(total?.operations.float ?? 0)} real multiplications an image.`
          : `${wrong.what} ${wrong.given ?? ''}${wrong.remedy === undefined ? '' : `: ${wrong.remedy}`}`}
      </p>
    </fieldset>
  );
}

function Link({ link: { address, holds } }: { readonly link: CopiedLink }) {
  return (
    <div class="link">
      <label>
        Link
        <input
          id="link-address"
          readOnly
          value={address}
          onFocus={({ currentTarget }) => currentTarget.select()}
        />
      </label>
      <p class="hint" role="status" data-field="link-holds">
        {holds}
      </p>
    </div>
  );
}

function million(count: number): string {
  if (count < 1000) return String(count);
  return count < 1e6 ? `${Math.round(count / 1000)} thousand` : `${(count / 1e6).toFixed(1)} million`;
}
