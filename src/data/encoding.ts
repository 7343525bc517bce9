/** How a network takes the rows of a table. */
import { FormatError } from '../errors.ts';

/** A column as the network takes it. */
export type TableColumn =
  | { readonly name: string; readonly mean: number; readonly sd: number }
  | { readonly name: string; readonly values: readonly string[] };

/** How rows become samples, and outputs numbers again; plain JSON, which model files keep. */
export interface TableEncoding {
  /** In the order in which they follow each other in a sample. */
  readonly columns: readonly TableColumn[];
  /** Of a regression: an output o stands for o·sd + mean. */
  readonly outputs?: readonly { readonly name: string; readonly mean: number; readonly sd: number }[];
}

/** More columns than any table has that a person makes. */
const MOST_COLUMNS = 2 ** 16;
const MOST_TEXT = 4096;

/** An encoding from a file's JSON. @throws FormatError unless it is one */
export function parseTable(value: unknown, where: string): TableEncoding | undefined {
  if (value === undefined) return undefined;
  const { columns, outputs = [] } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const isText = (text: unknown) => typeof text === 'string' && text.length <= MOST_TEXT;
  const isColumn = (column: unknown): boolean => {
    const { name, mean, sd, values } = (column ?? {}) as Record<string, unknown>;
    if (!isText(name)) return false;
    if (values === undefined) return Number.isFinite(mean) && Number.isFinite(sd) && Number(sd) > 0;
    return (
      Array.isArray(values) && values.length > 0 && values.length <= MOST_COLUMNS && values.every(isText)
    );
  };
  const isList = (list: unknown): list is unknown[] => Array.isArray(list) && list.length <= MOST_COLUMNS;
  if (
    isList(columns) &&
    columns.length > 0 &&
    columns.every(isColumn) &&
    isList(outputs) &&
    outputs.every((output) => isColumn(output) && !('values' in (output as object)))
  ) {
    return value as TableEncoding;
  }
  throw new FormatError('How the network takes the rows of a table is malformed.', {
    given: JSON.stringify(value).slice(0, 80),
    expected: '{ columns: [{ name, mean, sd } or { name, values }], outputs? }',
    where,
  });
}
