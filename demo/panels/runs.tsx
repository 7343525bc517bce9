/** The runs that this browser keeps: opened, renamed, deleted, downloaded. */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { percent } from '../../src/reports/words.ts';
import {
  download,
  downloadPage,
  downloadReport,
  hash,
  held,
  isOpen,
  open,
  overlaid,
  overlay,
  phase,
  prepared,
  remove,
  rename,
  renamed,
  runs,
} from '../state/studio.ts';
import { kilobytes } from '../state/words.ts';
import type { RunSummary } from '../worker/protocol.ts';

export function RunsPanel() {
  const all = runs.value;
  const bytes = all.reduce((sum, run) => sum + run.bytes, 0);
  return (
    <section class="panel wide" aria-labelledby="runs-title">
      <h2 id="runs-title">Runs in this browser</h2>
      <p class="hint">
        {all.length === 0
          ? 'A training is kept here after every epoch, and whenever it is paused. Nothing leaves this browser.'
          : `${all.length} ${all.length === 1 ? 'run takes' : 'runs take'} ${kilobytes(bytes)} of this browser's storage. A run goes on where it was left, to the same bits as if it had never stopped.`}
      </p>
      {all.length > 0 && (
        <div class="scroll">
          <table id="runs">
            <thead>
              <tr>
                {['Name', 'Curves', 'Step', 'Held out', 'Real numbers', 'Size', ''].map((title) => (
                  <th scope="col" key={title}>
                    {title === '' ? <span class="unseen">Actions</span> : title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{all.map(row)}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function row(run: RunSummary) {
  const isOpened = prepared.value?.id === run.id;
  return (
    <tr key={run.id}>
      <th scope="row">
        <input
          aria-label="Name of the run"
          aria-busy={renamed.value === run.id}
          value={run.name}
          onChange={({ currentTarget }) => void rename(run.id, currentTarget.value)}
        />
      </th>
      <td>
        <input
          type="checkbox"
          aria-label={`Draw the curves of ${run.name}`}
          disabled={isOpened}
          checked={isOpened || overlaid.value.has(run.id)}
          onChange={({ currentTarget }) => void overlay(run.id, currentTarget.checked)}
        />
      </td>
      <td>
        {run.step} / {run.steps}
      </td>
      <td>{run.accuracy === undefined ? '–' : percent(run.accuracy)}</td>
      <td>{run.twinAccuracy === undefined ? '–' : percent(run.twinAccuracy)}</td>
      <td>{kilobytes(run.bytes)}</td>
      <td class="buttons">
        <button type="button" disabled={!isOpen.value || isOpened} onClick={() => void open(run.id)}>
          {isOpened ? 'Open' : run.step < run.steps ? 'Go on' : 'Show'}
        </button>
        <button type="button" disabled={!isOpen.value} onClick={() => void remove(run.id)}>
          Delete
        </button>
      </td>
    </tr>
  );
}

const FORMATS = [
  ['safetensors', 'webgpu-bnn, and whoever reads safetensors'],
  ['onnx', 'QONNX: FINN, ONNX Runtime after conversion'],
  ['tflite', 'Larq Compute Engine'],
] as const;

export function DownloadPanel() {
  const digest = useSignal('');
  const now = phase.value;
  useEffect(() => {
    if (!['ready', 'paused', 'finished'].includes(now)) return;
    hash().then(
      (found) => {
        digest.value = found ?? '';
      },
      () => undefined,
    );
  }, [now]);
  return (
    <section class="panel wide" aria-labelledby="download-title">
      <h2 id="download-title">Take it with you</h2>
      <p class="hint">The binary network as it is now, in the formats that others read.</p>
      <ul class="formats">
        {FORMATS.map(([format, reader]) => (
          <li key={format}>
            <button
              type="button"
              data-format={format}
              disabled={!isOpen.value || prepared.value === undefined}
              onClick={() => void download(format)}
            >
              .{format}
            </button>{' '}
            {reader}
          </li>
        ))}
        <li>
          <button
            type="button"
            id="download-page"
            disabled={!isOpen.value || prepared.value === undefined}
            onClick={() => void downloadPage()}
          >
            a page
          </button>{' '}
          that names what pictures show, in a zip: for any static host
        </li>
        <li>
          <button
            type="button"
            id="download-report"
            disabled={!isOpen.value || held.value === undefined}
            onClick={() => void downloadReport()}
          >
            a report
          </button>{' '}
          of the training: curves, angles, flips, mistakes, in one file
        </li>
      </ul>
      <p class="hint">
        SHA-256 of its weights, which two trainings with the same settings on the same GPU share:{' '}
        <code data-field="hash">{digest}</code>
      </p>
    </section>
  );
}
