/** What every example does with its page: a log, and a state that says whether it went well. */
export function log(text: string): void {
  const element = document.getElementById('log');
  if (element !== null) element.textContent += `${text}\n`;
}

export function finish(state: 'done' | 'failed'): void {
  document.body.dataset.state = state;
}

/** Runs an example; what it throws is shown, with its remedy. */
export async function run(example: () => Promise<void>): Promise<void> {
  try {
    await example();
    finish('done');
  } catch (error) {
    log(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    finish('failed');
  }
}
