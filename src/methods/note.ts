/** What layers ask of methods that they were given, without the code that makes methods. */

/** What says of a rule whether it makes something else than signs of values. */
interface Rule {
  readonly hasArgument: boolean;
  readonly hasScale: boolean;
  readonly hasOffset: boolean;
  readonly planes: number;
}

/** Whether a quantizer makes the signs of values of them, and nothing else. */
export function isPlainSign({ row }: { readonly row: Rule | undefined }): boolean {
  return row === undefined || !(row.hasArgument || row.hasScale || row.hasOffset || row.planes > 1);
}

/** Options of a layer as its configuration has them, and files: methods are said by name and numbers. */
export function notedConfig(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]: [string, unknown]) => [
      key,
      isMethod(value) ? value.toJSON() : value,
    ]),
  );
}

/** Whether something is a method, and none by name. */
export function isMethod(value: unknown): value is { readonly kind: string; toJSON(): unknown } {
  return typeof value === 'object' && value !== null && 'kind' in value && 'definition' in value;
}
