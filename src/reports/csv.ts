/** Tables as CSV (RFC 4180), safe to open in a spreadsheet whatever stands in them. */

export type CsvCell = string | number | boolean | undefined | readonly number[];

/** Lines of cells; numbers stay numbers, a list of them is joined by `x`, nothing is an empty cell. */
export function csvOf(rows: readonly (readonly CsvCell[])[]): string {
  return rows.map((cells) => `${cells.map(csvCell).join(',')}\r\n`).join('');
}

/**
 * One cell. A text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a carriage return) begins
 * with an apostrophe instead, which is shown by none of them as part of the formula, and run by none.
 */
export function csvCell(value: CsvCell): string {
  const text = value === undefined ? '' : typeof value === 'object' ? value.join('x') : String(value);
  const isFormula = typeof value === 'string' && /^[=+\-@\t\r\n]/.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
