/** JSON of files: parsed here and nowhere else, since what is nested too deep overflows the stack of whoever walks it. */

/** More levels than anything of ours, or of the formats read here, has. */
const MOST_LEVELS = 64;

/**
 * Parses JSON of at most 64 levels.
 * @throws SyntaxError, which callers turn into an error of theirs that names the file
 */
export function parseJson(text: string): unknown {
  assertShallow(text);
  return JSON.parse(text) as unknown;
}

/** Counts brackets outside of strings: exact for valid JSON, and other text is refused by the parser. */
function assertShallow(text: string): void {
  let level = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x22) i = endOfString(text, i);
    else if (character === 0x5b || character === 0x7b) {
      level += 1;
      if (level > MOST_LEVELS) throw new SyntaxError(`JSON nested more than ${MOST_LEVELS} deep`);
    } else if (character === 0x5d || character === 0x7d) level -= 1;
  }
}

/** Place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x5c) i += 1;
    else if (character === 0x22) return i;
  }
  return text.length;
}
