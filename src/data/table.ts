/**
 * Tables: rows of numbers and categories, one column of which is what is to be predicted. Numbers are standardised by their
 * mean and standard deviation in the training rows, a category becomes a number for each of its values. How that was done goes
 * with the model, so that what it predicts is what was trained.
 *
 *   const data = await tableFromCsv(text, { label: 'species', split: 0.2 });
 */
import { FormatError, listed, OptionError } from '../errors.ts';
import type { TrainingData } from './dataset.ts';
import type { TableColumn, TableEncoding } from './encoding.ts';
import type { ResidentSource } from './source.ts';
import { parted } from './split.ts';

/** Which column is learned, and how the rows are split. */
export interface TableOptions {
  /** The column that is predicted; of a regression, one or several. */
  readonly label: string | readonly string[];
  /** Whether the label is a number, and no class. Default false. */
  readonly regression?: boolean;
  /** Share of the rows that is kept for tests. Default 0.2. */
  readonly split?: number;
  /** Rows that are kept for tests, as a table of their own with the same columns. */
  readonly test?: string;
  /** The split and the order of rows follow from it. Default 1. */
  readonly seed?: number;
  /** A column of weights of samples. */
  readonly weights?: string;
  /** What it is called in messages and reports. */
  readonly name?: string;
}

/** Rows of texts below the names of their columns. */
export interface Table {
  /** Names of the columns, from the first row. */
  readonly columns: readonly string[];
  /** Without the row of names; each has a text for every column. */
  readonly rows: readonly (readonly string[])[];
  /** Where it comes from, for errors: a file's name, say. */
  readonly where: string;
}

/** More values than a category may have: each is a number for the network. */
const MOST_VALUES = 256;

/**
 * Reads a table: fields between commas, semicolons or tabs, whichever the first line has most of; the first line names them.
 * @throws FormatError for a table that is empty, cut off or uneven, with the line
 */
export async function readTable(text: string, where: string): Promise<Table> {
  const { parse } = await import('csv-parse/browser/esm/sync');
  const [first = ''] = text.split(/\r?\n/, 1);
  const counts = [',', ';', '\t'].map((delimiter) => ({ delimiter, count: first.split(delimiter).length }));
  const { delimiter } = counts.reduce((most, one) => (one.count > most.count ? one : most));
  let lines: string[][];
  try {
    lines = parse(text, { bom: true, delimiter, skip_empty_lines: true, trim: true });
  } catch (cause) {
    throw new FormatError("This table can't be read.", {
      given: cause instanceof Error ? cause.message : String(cause),
      expected: 'a line of names, and lines of as many fields',
      where,
      cause,
    });
  }
  const [columns = [], ...rows] = lines;
  if (rows.length === 0 || columns.length === 0) {
    throw new FormatError('This table has no rows.', {
      given: `${lines.length} lines`,
      expected: 'a line of names, and one for each sample',
      where,
    });
  }
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new FormatError('Two columns of this table have one name.', { given: twice, where });
  }
  return { columns, rows, where };
}

/**
 * A data set of a table.
 * @param text of a CSV file
 * @throws FormatError for a table that can't be read, or a field that is missing or no number, with row and column; OptionError
 *   for a column that there is not, or a category of a test row that no training row has
 * @example
 * ```ts
 * import { tableFromCsv } from 'webgpu-bnn';
 *
 * const text = 'width,kind\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n7,a\n8,b\n9,a\n10,b\n';
 * const data = await tableFromCsv(text, { label: 'kind' });
 * console.log(data.classes);
 * ```
 */
export async function tableFromCsv(text: string, options: TableOptions): Promise<TableData> {
  const where = options.name ?? 'table';
  const table = await readTable(text, where);
  const tests = options.test === undefined ? undefined : await readTable(options.test, `${where}: test`);
  const labels = typeof options.label === 'string' ? [options.label] : options.label;
  const { regression = false, seed = 1, weights } = options;
  if (!regression && labels.length !== 1) {
    throw new OptionError('A sample has one class.', {
      given: `the columns ${listed(labels)}`,
      expected: 'one column, or several numbers of a regression',
      where,
    });
  }
  for (const name of [...labels, ...(weights === undefined ? [] : [weights])]) assertColumn(table, name);
  const isInput = (name: string) => !labels.includes(name) && name !== weights;
  const classes = regression
    ? labels
    : classesOf([table, ...(tests === undefined ? [] : [tests])], labels[0] ?? '');

  // Only training rows decide how columns are encoded: the rows are parted first.
  const numbered = {
    count: table.rows.length,
    labels: regression ? [] : classIndices(table, labels[0] ?? '', classes),
  };
  const lines =
    tests === undefined
      ? parted(numbered, options.split ?? 0.2, seed, regression ? undefined : classes, where)
      : { train: [...table.rows.keys()], test: [...tests.rows.keys()] };
  const rowsAt = (rows: readonly number[]): Table => ({
    ...table,
    rows: rows.map((row) => table.rows[row] ?? []),
  });
  const train = rowsAt(lines.train);
  const columns = table.columns.filter(isInput).map((name) => columnOf(train, name, lines.train));
  if (columns.length === 0) {
    throw new OptionError('There is no column beside the label.', { given: listed(table.columns), where });
  }
  const outputs = regression
    ? labels.map((name) => ({ name, ...statistics(numbersOf(train, name, lines.train)) }))
    : undefined;
  const encoding: TableEncoding = { columns, ...(outputs === undefined ? {} : { outputs }) };
  const sourceOf = (rows: Table, own: readonly number[]): ResidentSource => ({
    count: rows.rows.length,
    images: encodeRows(rows, encoding, own),
    labels:
      outputs === undefined
        ? classIndices(rows, labels[0] ?? '', classes)
        : interleaved(
            outputs.map(({ name, mean, sd }) =>
              numbersOf(rows, name, own).map((value) => (value - mean) / sd),
            ),
          ),
    ...(weights === undefined ? {} : { weights: Float32Array.from(numbersOf(rows, weights, own)) }),
  });
  const test = sourceOf(tests === undefined ? rowsAt(lines.test) : aligned(tests, table.columns), lines.test);
  return {
    name: where,
    classes,
    image: [widthOf(encoding)],
    targets: regression ? 'reals' : 'classes',
    train: sourceOf(train, lines.train),
    test,
    table: encoding,
  };
}

/** A table as a training takes it, with how its columns became numbers. */
export type TableData = TrainingData & {
  /** Rows that the network learns from. */
  readonly train: ResidentSource;
  /** Rows that are kept for tests. */
  readonly test: ResidentSource;
  /** How a row becomes a sample: model files keep it. */
  readonly table: TableEncoding;
};

/** Numbers of a sample. */
function widthOf({ columns }: TableEncoding): number {
  return columns.reduce((sum, column) => sum + ('values' in column ? column.values.length : 1), 0);
}

/**
 * Rows as the network takes them; columns that it has no use for are left out.
 * @param lines numbers of the rows in the file, for errors
 * @returns f32 [rows, widthOf(encoding)]
 * @throws OptionError for a column that is missing, or a category that training did not have; FormatError for a field that is
 *   no number
 */
export function encodeRows(
  table: Table,
  encoding: TableEncoding,
  lines: readonly number[] = [...table.rows.keys()],
): Float32Array<ArrayBuffer> {
  const width = widthOf(encoding);
  const encoded = new Float32Array(table.rows.length * width);
  let at = 0;
  for (const column of encoding.columns) {
    assertColumn(table, column.name);
    if ('values' in column) {
      const place = table.columns.indexOf(column.name);
      for (const [row, fields] of table.rows.entries()) {
        const value = column.values.indexOf(fields[place] ?? '');
        if (value < 0) {
          throw new OptionError('A category is one that the training did not have.', {
            given: `${fields[place] ?? ''} in row ${(lines[row] ?? row) + 1}, column ${column.name}`,
            expected: listed(column.values),
            where: table.where,
            remedy: 'train with rows of it, or leave such rows out',
          });
        }
        encoded[row * width + at + value] = 1;
      }
      at += column.values.length;
    } else {
      const { mean, sd } = column;
      for (const [row, value] of numbersOf(table, column.name, lines).entries()) {
        encoded[row * width + at] = (value - mean) / sd;
      }
      at += 1;
    }
  }
  return encoded;
}

/** The numbers that outputs of a regression stand for. */
export function decodeOutputs(outputs: Float32Array, { outputs: columns = [] }: TableEncoding): Float32Array {
  return outputs.map((value, i) => {
    const { mean = 0, sd = 1 } = columns[i % columns.length] ?? {};
    return value * sd + mean;
  });
}

function assertColumn({ columns, where }: Table, name: string): void {
  if (columns.includes(name)) return;
  throw new OptionError('The table has no column of this name.', {
    given: name,
    expected: listed(columns),
    where,
  });
}

/** A table whose columns are in the order of another's. */
function aligned(table: Table, columns: readonly string[]): Table {
  const places = columns.map((name) => {
    assertColumn(table, name);
    return table.columns.indexOf(name);
  });
  return { ...table, columns, rows: table.rows.map((row) => places.map((place) => row[place] ?? '')) };
}

function classesOf(tables: readonly Table[], label: string): string[] {
  const names = new Set<string>();
  for (const table of tables) {
    const place = table.columns.indexOf(label);
    for (const [row, fields] of table.rows.entries()) {
      const name = fields[place] ?? '';
      if (name === '') {
        throw new FormatError('A label is missing.', {
          given: `nothing in row ${row + 1}, column ${label}`,
          where: table.where,
          remedy: 'name the class, or leave the row out',
        });
      }
      names.add(name);
    }
  }
  // Numbers by their size, and else by the alphabet.
  const sorted = [...names];
  const isNumber = sorted.every((name) => Number.isFinite(Number(name)));
  return isNumber ? sorted.sort((a, b) => Number(a) - Number(b)) : sorted.sort();
}

function classIndices(table: Table, label: string, classes: readonly string[]): Uint32Array {
  const place = table.columns.indexOf(label);
  const places = new Map(classes.map((name, i) => [name, i]));
  return Uint32Array.from(table.rows, (fields) => places.get(fields[place] ?? '') ?? 0);
}

/** A column of numbers where all training rows have some, and of categories otherwise. */
function columnOf(table: Table, name: string, lines: readonly number[]): TableColumn {
  const place = table.columns.indexOf(name);
  const fields = table.rows.map((row) => row[place] ?? '');
  const isNumber = (field: string) => field !== '' && !Number.isNaN(Number(field));
  const share = fields.filter(isNumber).length / fields.length;
  // Where most fields are numbers, the others are mistakes, and no categories.
  if (share > 0.5) return { name, ...statistics(numbersOf(table, name, lines)) };
  const empty = fields.indexOf('');
  if (empty >= 0) throw missing(table, name, (lines[empty] ?? empty) + 1, '');
  const values = [...new Set(fields)].sort();
  if (values.length <= MOST_VALUES) return { name, values };
  throw new OptionError('This column has too many different texts to be a category.', {
    given: `${name}: ${values.length} different`,
    expected: `${MOST_VALUES} at most, or numbers`,
    where: table.where,
    remedy: 'leave the column out of the table',
  });
}

function numbersOf(table: Table, name: string, lines: readonly number[]): number[] {
  const place = table.columns.indexOf(name);
  return table.rows.map((row, i) => {
    const field = row[place] ?? '';
    const value = Number(field);
    if (field !== '' && Number.isFinite(value)) return value;
    throw missing(table, name, (lines[i] ?? i) + 1, field);
  });
}

function missing({ where }: Table, name: string, row: number, field: string): FormatError {
  return new FormatError(field === '' ? 'A field is missing.' : 'A field is no finite number.', {
    given: `${field === '' ? 'nothing' : field} in row ${row}, column ${name}`,
    where,
    remedy: 'fill it in, or leave the row or the column out',
  });
}

function statistics(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  // What is always the same says nothing: it stays 0.
  return { mean, sd: Math.sqrt(variance) || 1 };
}

function interleaved(columns: readonly (readonly number[])[]): Float32Array {
  const [first = []] = columns;
  return Float32Array.from(
    { length: first.length * columns.length },
    (_, i) => columns[i % columns.length]?.[Math.floor(i / columns.length)] ?? 0,
  );
}
