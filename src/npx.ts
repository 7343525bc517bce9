/**
 * The command line, as a person calls it whose machine has the package in a project and nowhere else.
 * @param words what follows its name: `data mnist`
 */
export function npx(words: string): string {
  return `npx webgpu-bnn ${words}`;
}
