/** What every example does with its page: a log, and a state that says whether it went well. */
export function log(text: string): void {
  const element = document.getElementById('log');
  if (element !== null) element.textContent += `${text}\n`;
}

export function finish(state: 'done' | 'failed'): void {
  document.body.dataset.state = state;
}

/**
 * Runs an example; what it throws is shown, with its remedy. Not to be awaited at the top of a module: a part of the library
 * that is loaded on demand may lie in the same built file, and would wait for the end of the module that waits for it.
 */
export function run(example: () => Promise<void>): void {
  example().then(
    () => finish('done'),
    (error: unknown) => {
      log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
      finish('failed');
    },
  );
}
