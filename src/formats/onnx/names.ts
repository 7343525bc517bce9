/** Names that differ: what is taken gets a number. */
export class Names {
  readonly #taken: Set<string>;
  /** The next number to try for a name, so that many of one name cost no search each. */
  readonly #next = new Map<string, number>();

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  /** The name itself, or with the first number that is free. */
  free(name: string): string {
    let free = name;
    if (this.#taken.has(name)) {
      let count = this.#next.get(name) ?? 2;
      while (this.#taken.has(`${name}_${count}`)) count += 1;
      free = `${name}_${count}`;
      this.#next.set(name, count + 1);
    }
    this.#taken.add(free);
    return free;
  }
}
