/** What this GPU does at most, beside others that were measured: the roofline, a table, and a line to send on. */
import { useSignal } from '@preact/signals';
import { KNOWN, markdownOf, OPERATIONS, type Rates } from '../state/bench.ts';
import { adapter, benching, isOpen, measured, measureGpu } from '../state/studio.ts';
import type { Point } from '../worker/protocol.ts';
import { Chart, type Line, type Plot } from './chart.tsx';
import { colourOf } from './theme.ts';

/** Operations a byte that the picture spans. */
const FROM = 1;
const TO = 10_000;

export function BenchPanel() {
  const found = measured.value;
  const copied = useSignal(false);
  const now = benching.value;
  return (
    <section class="panel wide" aria-labelledby="bench-title">
      <h2 id="bench-title">How fast this GPU is with signs</h2>
      <p class="hint">
        A minute of measuring: what the adapter counts and copies at most, and what products of signs reach of
        it. Every result is compared with one of real numbers. Keep this tab in front meanwhile.
      </p>
      <p class="actions">
        <button
          type="button"
          class="primary"
          id="measure"
          disabled={!isOpen.value || now !== undefined}
          onClick={() => {
            copied.value = false;
            void measureGpu();
          }}
        >
          {found === undefined ? 'Measure this GPU' : 'Measure again'}
        </button>
        {found !== undefined && (
          <button
            type="button"
            id="copy-line"
            onClick={async () => {
              const line = markdownOf(adapter.value?.name ?? '', found);
              // A page without a clipboard, or one that may not write to it, has the line below.
              const isDone = navigator.clipboard?.writeText(line).then(
                () => true,
                () => false,
              );
              copied.value = (await isDone) === true;
            }}
          >
            {copied.value ? 'Copied' : 'Copy a line of Markdown'}
          </button>
        )}
      </p>
      <p class="status" role="status" data-field="bench-status">
        {now === undefined
          ? isOpen.value
            ? ''
            : 'The training comes first: pause it to measure.'
          : `Measuring ${now} …`}
      </p>
      {found !== undefined && (
        <>
          <figure class="chart">
            <figcaption>
              <h3>Roofline</h3>
              <p>
                Operations of signs a second over operations a byte; lines are what counting bits and copying
                allow, dots what products reach.
              </p>
            </figcaption>
            <Chart
              id="roofline"
              plot={roofline}
              label="Operations of signs a second over operations a byte"
            />
          </figure>
          <div class="scroll">
            <table id="rates">
              <thead>
                <tr>
                  {['Adapter, in a second', 'Operations of signs', 'Bytes copied', 'Real multiply-adds'].map(
                    (title) => (
                      <th scope="col" key={title}>
                        {title}
                      </th>
                    ),
                  )}
                </tr>
              </thead>
              <tbody>
                {all(found).map(({ name, popcounts, copy, multiplyAdds }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>{giga(OPERATIONS * popcounts)}</td>
                    <td>{giga(copy)}</td>
                    <td>{giga(multiplyAdds)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <div class="scroll">
            <table id="products">
              <thead>
                <tr>
                  {['Product', 'Operations of signs', 'of counting', 'Time of real numbers'].map((title) => (
                    <th scope="col" key={title}>
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {found.products.map(({ name, perSecond, ratio }) => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    <td>{giga(perSecond)}</td>
                    <td>{Math.round((100 * perSecond) / (OPERATIONS * found.popcounts))} %</td>
                    <td>{ratio.toFixed(1)} ×</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="hint">
            Or copy it by hand:{' '}
            <code data-field="markdown">{markdownOf(adapter.value?.name ?? '', found)}</code>
          </p>
        </>
      )}
    </section>
  );
}

const all = (found: Rates) => [{ ...found, name: adapter.value?.name ?? 'this GPU' }, ...KNOWN];

function roofline(): Plot {
  const found = measured.value;
  if (found === undefined) return { lines: [], x: {}, y: {} };
  const roofs = all(found).map(({ name, popcounts, copy }, index): Line => {
    const top = OPERATIONS * popcounts;
    const ridge = Math.min(TO, Math.max(FROM, top / copy));
    const points: Point[] = [
      [FROM, Math.min(top, copy * FROM)],
      [ridge, Math.min(top, copy * ridge)],
      [TO, Math.min(top, copy * TO)],
    ];
    return { name, points, color: colourOf(index), dashed: index > 0, width: index > 0 ? 1.5 : 2 };
  });
  const reached: Line = {
    ...{ name: 'products here', color: colourOf(0), dots: true },
    points: found.products
      .map(({ perByte, perSecond }): Point => [perByte, perSecond])
      .sort(([a], [b]) => a - b),
  };
  return {
    lines: [...roofs, reached],
    x: { name: 'operations a byte', log: true, min: FROM, max: TO },
    y: { log: true, label: giga },
    tooltip: false,
  };
}

/** `2.1 G`, `460 M`. */
function giga(value: number): string {
  const [size, unit] = value >= 1e12 ? [1e12, 'T'] : value >= 1e9 ? [1e9, 'G'] : [1e6, 'M'];
  return `${Number((value / size).toPrecision(3))} ${unit}`;
}
