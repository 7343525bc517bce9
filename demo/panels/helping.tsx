/** This tab as a worker: takes trainings of comparisons from a NATS server, says what it does, and stops when asked or closed. */
import { signal } from '@preact/signals';
import type { HelpNews, HelpOrder } from '../worker/helper.ts';
import type { Trouble } from '../worker/protocol.ts';
import { Details } from './notice.tsx';

/** Lines that are shown, the newest last. */
const LINES = 12;

const state = signal<'idle' | 'connecting' | 'working' | 'stopping'>('idle');
const lines = signal<readonly string[]>([]);
const trouble = signal<Trouble | undefined>(undefined);
let helper: Worker | undefined;

function say(text: string): void {
  lines.value = [...lines.value, text].slice(-LINES);
}

function order(what: HelpOrder): void {
  helper?.postMessage(what);
}

function end(): void {
  helper?.terminate();
  helper = undefined;
  state.value = 'idle';
}

function begin(form: HTMLFormElement): void {
  const field = (name: string) => String(new FormData(form).get(name) ?? '').trim();
  trouble.value = undefined;
  lines.value = [];
  state.value = 'connecting';
  helper = new Worker(new URL('../worker/helper.ts', import.meta.url), { type: 'module' });
  helper.onmessage = ({ data: news }: MessageEvent<HelpNews>) => {
    if (news.kind === 'line') say(news.text);
    if (news.kind === 'waiting') {
      state.value = 'working';
      say(`${news.adapter} waits for jobs`);
    }
    if (news.kind === 'trouble') {
      trouble.value = news.trouble;
      end();
    }
    if (news.kind === 'over') {
      say(news.jobs === 1 ? '1 job done' : `${news.jobs} jobs done`);
      end();
    }
  };
  helper.onerror = ({ message }) => {
    trouble.value = { kind: 'unexpected', what: 'The worker of this tab failed.', given: message };
    end();
  };
  const mnist = new URL('mnist', document.baseURI).href;
  order({ kind: 'begin', url: field('url'), user: field('user'), password: field('password'), mnist });
}

export function HelpingPanel() {
  const isIdle = state.value === 'idle';
  const wrong = trouble.value;
  return (
    <section class="panel wide" aria-labelledby="helping-title" id="helping" data-state={state}>
      <h2 id="helping-title">Work for a comparison</h2>
      <p class="hint">
        This tab can be a worker: it takes trainings that <code>webgpu-bnn compare --nats</code> has put on a
        NATS server, and sends back what came of them. They name methods and MNIST, and bring no code. Close
        the tab, or stop it here, and another worker goes on where it was.
      </p>
      <form
        class="chooser"
        onSubmit={(event) => {
          event.preventDefault();
          begin(event.currentTarget);
        }}
      >
        <label>
          Address of the server
          <input name="url" id="helping-url" required placeholder="ws://localhost:8080" disabled={!isIdle} />
        </label>
        <label>
          User, if it asks for one
          <input name="user" autocomplete="username" disabled={!isIdle} />
        </label>
        <label>
          Password
          <input name="password" type="password" autocomplete="current-password" disabled={!isIdle} />
        </label>
        {isIdle ? (
          <button type="submit" id="helping-begin">
            Work
          </button>
        ) : (
          <button
            type="button"
            id="helping-stop"
            disabled={state.value === 'stopping'}
            onClick={() => {
              // What is not connected yet has nothing to give back.
              if (state.value === 'connecting') return end();
              state.value = 'stopping';
              order({ kind: 'stop' });
            }}
          >
            Stop
          </button>
        )}
      </form>
      {lines.value.length > 0 && (
        <ol id="helping-lines" aria-live="polite">
          {lines.value.map((line, index) => (
            <li key={index}>{line}</li>
          ))}
        </ol>
      )}
      {wrong !== undefined && (
        <div role="alert" id="helping-trouble">
          <p>{wrong.what}</p>
          <Details wrong={wrong} />
        </div>
      )}
    </section>
  );
}
