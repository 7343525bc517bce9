/**
 * HTML that can't be injected into: the tag `html` makes it, and escapes whatever is put in. Nothing else may write markup
 * (`test/hostile.test.ts` reads the sources for it).
 */

/** Markup that is safe to put into a page as it stands. */
export class Html {
  readonly #markup: string;

  private constructor(markup: string) {
    this.#markup = markup;
  }

  /** Only `html` and `ourMarkup` call this. */
  static of(markup: string): Html {
    return new Html(markup);
  }

  toString(): string {
    return this.#markup;
  }
}

/** What may stand in a hole of a template: text and numbers are escaped, nothing is nothing, lists are put in a row. */
export type Hole = Html | string | number | undefined | readonly Hole[];

/**
 * Markup of a template; all that is put in is escaped unless it was made by this function. Attributes stand in quotes.
 * @example html`<td title="${name}">${shape.join(' × ')}</td>`
 */
export function html(parts: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  let markup = parts[0] ?? '';
  for (const [index, hole] of holes.entries()) markup += markupOf(hole) + (parts[index + 1] ?? '');
  return Html.of(markup);
}

/**
 * Marks text as markup that this library itself made: the pictures of its plotting, its style sheet and its script. Never
 * for what comes from a file or a user.
 */
export function ourMarkup(text: string): Html {
  return Html.of(text);
}

function markupOf(hole: Hole): string {
  if (hole === undefined) return '';
  if (hole instanceof Html) return hole.toString();
  if (Array.isArray(hole)) return (hole as readonly Hole[]).map(markupOf).join('\n');
  return escaped(String(hole));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
