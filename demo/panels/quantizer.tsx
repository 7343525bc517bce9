/** A quantizer of the visitor's own: its gradient as WGSL, compiled while one types, beside the shipped ones. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { METHODS_OF, methodOf } from '../state/methods.ts';
import { MY_QUANTIZER } from '../state/settings.ts';
import { compareGradients, foreign, isOpen, phase, settings, tried, tryGradient } from '../state/studio.ts';
import type { Point } from '../worker/protocol.ts';
import { Chart, type Plot } from './chart.tsx';
import { colourOf } from './theme.ts';

/** Milliseconds after the last key until the text is compiled. */
const PAUSE = 250;
const POINTS = Array.from({ length: 201 }, (_, i) => -2 + i / 50);

export function QuantizerPanel() {
  const beside = useSignal('steSign');
  const due = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const answer = tried.value;
  const errors = answer !== undefined && 'errors' in answer ? answer.errors : [];
  useEffect(() => () => clearTimeout(due.current), []);
  const ready = phase.value !== 'starting' && phase.value !== 'unsupported';
  useEffect(() => {
    if (ready && tried.value === undefined && !foreign.value) void tryGradient(settings.value.gradient);
  }, [ready]);

  const plot = (): Plot => {
    const own = tried.value !== undefined && 'points' in tried.value ? tried.value.points : [];
    const shipped = methodOf('quantizer', beside.value);
    return {
      lines: [
        { name: 'yours', points: own, color: colourOf(0) },
        {
          name: beside.value,
          points: POINTS.map((x): Point => [x, shipped.gradient(x)]),
          color: colourOf(1),
          dashed: true,
        },
      ],
      x: { name: 'x', min: -2, max: 2 },
      y: {},
    };
  };

  const type = (gradient: string) => {
    settings.value = { ...settings.value, gradient };
    clearTimeout(due.current);
    due.current = setTimeout(() => void tryGradient(gradient), PAUSE);
  };

  return (
    <section class="panel wide" aria-labelledby="quantizer-title">
      <h2 id="quantizer-title">A gradient of your own</h2>
      <p class="hint">
        The sign has no gradient that one could learn by, so another function stands in for its derivative.
        Write one in WGSL: it is compiled as you type, and trains when “my own” is the quantizer.
      </p>
      <div class="editor">
        <div>
          <textarea
            id="gradient"
            aria-label="The gradient function, in WGSL"
            aria-invalid={errors.length > 0}
            aria-describedby="gradient-errors"
            spellcheck={false}
            rows={8}
            value={settings.value.gradient}
            disabled={!isOpen.value}
            onInput={({ currentTarget }) => type(currentTarget.value)}
          />
          {foreign.value && (
            <p class="errors" id="foreign">
              This function came with the link that you opened.{' '}
              <button type="button" id="allow" onClick={() => void tryGradient(settings.value.gradient)}>
                I have read it: compile it
              </button>
            </p>
          )}
          <div id="gradient-errors" role="status">
            <ul class="errors">
              {errors.map(({ line, message }) => (
                <li key={`${line} ${message}`}>
                  Line {line}: {message}
                </li>
              ))}
            </ul>
          </div>
          <div class="actions">
            <button
              type="button"
              id="use-gradient"
              disabled={
                foreign.value ||
                errors.length > 0 ||
                !isOpen.value ||
                settings.value.quantizer === MY_QUANTIZER
              }
              onClick={() => {
                settings.value = { ...settings.value, quantizer: MY_QUANTIZER };
              }}
            >
              {settings.value.quantizer === MY_QUANTIZER ? 'Chosen: reset and start' : 'Train with it'}
            </button>
            <button
              type="button"
              id="compare-gradients"
              disabled={foreign.value || errors.length > 0 || !isOpen.value}
              onClick={() => {
                location.hash = '#/train';
                void compareGradients(beside.value);
              }}
            >
              Train both and compare
            </button>
            <label>
              Beside{' '}
              <select
                value={beside.value}
                onChange={({ currentTarget }) => (beside.value = currentTarget.value)}
              >
                {METHODS_OF.quantizer.map((name) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </div>
        </div>
        <Chart id="gradient-plot" plot={plot} label="The gradient functions between −2 and 2" />
      </div>
    </section>
  );
}
