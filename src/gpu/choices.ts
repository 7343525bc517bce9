/**
 * Which kernel of a family runs for which extents on this adapter, where that was measured or pinned. Choices outlive
 * the process in a store: a file in Node, `localStorage` in a browser.
 */
import { parseJson } from '../json.ts';
import type { Constants } from './kernel.ts';

/** Which kernel of a family runs for some extents. */
export interface Choice {
  /** Family and extents: `binaryMatMul(M=8,N=4,K=32)`. */
  readonly key: string;
  /** The kernel's name. */
  readonly kernel: string;
  /** Whether it was pinned; a measurement leaves it alone then. */
  readonly pinned: boolean;
  /** What each kernel took, in milliseconds, where it was measured. */
  readonly measured?: Readonly<Record<string, number>>;
}

/** A family and extents that some operation asked for. */
export interface Question {
  /** The operation: `binaryMatMul`, say. */
  readonly family: string;
  /** Its sizes by name: M, N and K of a product. */
  readonly extents: Constants;
}

/** Where choices are kept: text by adapter. Failing to keep them is no error; they are measured again. */
export interface ChoiceStore {
  /** What was kept for an adapter; null where nothing was. */
  read(adapter: string): string | null;
  /** Keeps text for an adapter in place of what was there. */
  write(adapter: string, text: string): void;
}

/** The kernels that were chosen for an adapter, by measurement or by hand. */
export class Choices {
  readonly #choices = new Map<string, Choice>();
  readonly #asked = new Map<string, Question>();
  #store: { readonly store: ChoiceStore; readonly adapter: string } | undefined;

  /** The kernel chosen for a key. */
  find(key: string): string | undefined {
    return this.#choices.get(key)?.kernel;
  }

  /** The choice for a key, and how it came about. */
  get(key: string): Choice | undefined {
    return this.#choices.get(key);
  }

  /** All choices, in the order of their keys. */
  list(): readonly Choice[] {
    return [...this.#choices.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Notes what a measurement found; a pinned choice stays. */
  set(choice: Choice): void {
    if (this.#choices.get(choice.key)?.pinned === true && !choice.pinned) return;
    this.#choices.set(choice.key, choice);
  }

  /** Chooses a kernel by name, whatever measurements say. It is used where the device can run it. */
  pin(key: string, kernel: string): void {
    this.set({ key, kernel, pinned: true });
  }

  /** Forgets one choice, or all of them. @returns how many there were */
  clear(key?: string): number {
    const before = this.#choices.size;
    if (key === undefined) this.#choices.clear();
    else this.#choices.delete(key);
    return before - this.#choices.size;
  }

  /** Notes that an operation asked for a family and extents. */
  ask(key: string, question: Question): void {
    this.#asked.set(key, question);
  }

  /** What operations asked for so far, by key. */
  get asked(): ReadonlyMap<string, Question> {
    return this.#asked;
  }

  /** Takes the choices of an adapter from a store, and lets `save` keep them there. */
  keepIn(store: ChoiceStore, adapter: string): void {
    this.#store = { store, adapter };
    for (const choice of parseChoices(store.read(adapter))) this.#choices.set(choice.key, choice);
  }

  /** Keeps the choices as they are now, where there is a place for them. */
  save(): void {
    this.#store?.store.write(this.#store.adapter, JSON.stringify(this.list()));
  }
}

/** What is whole of a stored list; damaged entries are left out, since they can be measured again. */
export function parseChoices(text: string | null): Choice[] {
  if (text === null) return [];
  try {
    const list = parseJson(text);
    if (!Array.isArray(list)) return [];
    return list.filter(isChoice).map(({ key, kernel, pinned, measured }) => ({
      ...{ key, kernel, pinned },
      ...(measured === undefined ? {} : { measured }),
    }));
  } catch {
    return [];
  }
}

function isChoice(value: unknown): value is Choice {
  if (typeof value !== 'object' || value === null) return false;
  const { key, kernel, pinned, measured } = value as Partial<Record<keyof Choice, unknown>>;
  const times = measured ?? {};
  return (
    typeof key === 'string' &&
    typeof kernel === 'string' &&
    typeof pinned === 'boolean' &&
    typeof times === 'object' &&
    Object.values(times).every((time) => typeof time === 'number')
  );
}

/** The parts of `localStorage` that are needed. */
export type KeyedText = Pick<Storage, 'getItem' | 'setItem'>;

/** Choices in a browser's storage; one that is closed to this page, or full, is no error. */
export function storageOf(open: () => KeyedText): ChoiceStore {
  const nameOf = (adapter: string) => `webgpu-bnn choices: ${adapter}`;
  return {
    read: (adapter) => {
      try {
        return open().getItem(nameOf(adapter));
      } catch {
        return null;
      }
    },
    write: (adapter, text) => {
      try {
        open().setItem(nameOf(adapter), text);
      } catch {
        // Measured again next time.
      }
    },
  };
}
