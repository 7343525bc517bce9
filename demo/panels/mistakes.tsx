/** What held-out images are taken for, and the wrong ones that the network is surest of. */
import { findMistakes, isOpen, mistakes, prepared } from '../state/studio.ts';
import type { Mistakes } from '../worker/protocol.ts';
import { Picture } from './picture.tsx';

export function MistakesPanel() {
  const found = mistakes.value;
  return (
    <section class="panel wide" aria-labelledby="mistakes-title">
      <div class="title">
        <h2 id="mistakes-title">What it gets wrong</h2>
        <button type="button" id="find-mistakes" disabled={!isOpen.value} onClick={() => void findMistakes()}>
          {found === undefined ? 'Look at the held-out images' : 'Look again'}
        </button>
      </div>
      {found === undefined ? (
        <p class="hint">Every held-out image is shown to the network, while no training is under way.</p>
      ) : (
        <>
          <p class="hint">
            At step {found.step}: rows are what an image is, columns what it is taken for. Below, the mistakes
            that the network is surest of.
          </p>
          <Confusion found={found} />
          <ul class="worst" id="worst">
            {found.worst.map((one) => (
              <li key={one.index}>
                <Picture
                  image={one.image}
                  label={`Held-out image ${one.index}`}
                  isInk={prepared.value?.pictures === undefined}
                />
                <span>
                  {found.classes[one.label]} taken for {found.classes[one.taken]}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Confusion({ found: { classes, confusion } }: { readonly found: Mistakes }) {
  const wrong = [...confusion].filter((_, cell) => cell % (classes.length + 1) !== 0);
  const most = Math.max(1, ...wrong);
  return (
    <div class="scroll">
      <table id="confusion" class="confusion">
        <thead>
          <tr>
            <th scope="col">is / taken for</th>
            {classes.map((name) => (
              <th scope="col" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {classes.map((name, row) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {classes.map((taken, column) => {
                const count = confusion[row * classes.length + column] ?? 0;
                const share = row === column ? 0 : count / most;
                return (
                  <td
                    key={taken}
                    class={row === column ? 'right' : ''}
                    style={{ '--share': share.toFixed(3) }}
                  >
                    {count}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
