/** What went wrong, and what to do about it. */

import { newer, takeNewer } from '../state/offline.ts';
import { phase, recover, trouble, unsaved } from '../state/studio.ts';
import { advice } from '../state/support.ts';
import type { Trouble } from '../worker/protocol.ts';

export function Notices() {
  const wrong = trouble.value;
  return (
    <>
      {wrong !== undefined && <Notice wrong={wrong} />}
      {unsaved.value !== undefined && (
        <section class="notice" id="unsaved" role="status">
          <h2>{unsaved.value.what}</h2>
          <Details wrong={unsaved.value} />
        </section>
      )}
      {newer.value !== undefined && (
        <section class="notice" id="newer" role="status">
          <h2>There is a newer version of this page.</h2>
          <button type="button" onClick={takeNewer}>
            Load it
          </button>
        </section>
      )}
    </>
  );
}

function Notice({ wrong }: { readonly wrong: Trouble }) {
  const canGoOn = wrong.kind === 'lost' || (wrong.kind === 'no-gpu' && phase.value === 'failed');
  return (
    <section class="notice" id="notice" role="alert">
      <h2 data-field="notice-title">{wrong.what}</h2>
      {wrong.kind === 'no-gpu' ? <NoGpu /> : <Details wrong={wrong} />}
      {canGoOn && (
        <button type="button" id="recover" onClick={() => void recover()}>
          Continue from the last checkpoint
        </button>
      )}
    </section>
  );
}

export function Details({ wrong }: { readonly wrong: Trouble }) {
  const said = [
    ['Where', wrong.where],
    ['Given', wrong.given],
    ['Expected', wrong.expected],
    ['Remedy', wrong.remedy],
  ] as const;
  return (
    <dl>
      {said.map(([term, text]) =>
        text === undefined ? null : (
          <>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </>
        ),
      )}
    </dl>
  );
}

function NoGpu() {
  return (
    <>
      <p>
        {isSecureContext
          ? 'The network runs on the GPU through WebGPU, which this browser does not offer. Any of these does:'
          : 'WebGPU works on secure pages only: open this page over https, or on localhost. Then any of these does:'}
      </p>
      <dl>
        {phase.value === 'failed' && (
          <>
            <dt>After a crash</dt>
            <dd>wait a little and try again: the checkpoint is kept in this browser</dd>
          </>
        )}
        {advice(navigator.userAgent).map(({ browser, steps }) => (
          <>
            <dt>{browser}</dt>
            <dd>{steps}</dd>
          </>
        ))}
      </dl>
    </>
  );
}
