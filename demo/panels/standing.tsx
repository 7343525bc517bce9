/** Where the training is, and the binary network beside its twin. */
import { percent } from '../../src/reports/words.ts';
import { held, prepared, standing } from '../state/studio.ts';
import { kilobytes } from '../state/words.ts';

export function StandingPanel() {
  const now = standing.value;
  const tiles = [
    ['Epoch', 'epoch', now === undefined ? '–' : `${now.epoch} / ${now.epochs}`],
    ['Step', 'step', now?.step ?? '–'],
    ['Loss', 'loss', now?.loss.toFixed(4) ?? '–'],
    ['Training accuracy', 'train-accuracy', now === undefined ? '–' : percent(now.accuracy)],
    ['Held-out accuracy', 'test-accuracy', held.value === undefined ? '–' : percent(held.value.binary)],
    [
      'Images per second',
      'speed',
      now === undefined ? '–' : Math.round(now.imagesPerSecond).toLocaleString('en'),
    ],
  ] as const;
  return (
    <dl class="tiles" aria-label="Where the training is">
      {tiles.map(([term, field, text]) => (
        <div key={field}>
          <dt>{term}</dt>
          <dd data-field={field}>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

export function BesidePanel() {
  const now = standing.value;
  const { sizes } = prepared.value ?? {};
  const rows = [
    ['Size', kilobytes(sizes?.binary ?? 0), kilobytes(sizes?.real ?? 0)],
    [
      'Held-out accuracy',
      held.value === undefined ? '–' : percent(held.value.binary),
      held.value?.twin === undefined ? '–' : percent(held.value.twin),
    ],
    ['Training accuracy', shown(now?.accuracy), shown(now?.twin?.accuracy)],
    [
      'Images per second',
      Math.round(now?.imagesPerSecond ?? 0).toLocaleString('en'),
      now?.twinImagesPerSecond === undefined ? '–' : Math.round(now.twinImagesPerSecond).toLocaleString('en'),
    ],
  ] as const;
  return (
    <section class="panel" aria-labelledby="beside-title">
      <h2 id="beside-title">Signs beside real numbers</h2>
      <p class="hint">
        The same layers, trained on the same batches: once with signs for weights and activations, once with
        real numbers and rectifiers.
      </p>
      <div class="scroll">
        <table id="beside">
          <thead>
            <tr>
              <th scope="col">
                <span class="unseen">What is measured</span>
              </th>
              <th scope="col">Signs</th>
              <th scope="col">Real numbers</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([term, ...cells]) => (
              <tr key={term}>
                <th scope="row">{term}</th>
                {cells.map((cell, index) => (
                  <td key={index === 0 ? 'binary' : 'twin'}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const shown = (share: number | undefined) => (share === undefined ? '–' : percent(share));
