/** What a check found, and how it is printed. */

/** One thing that was looked at. */
export interface Finding {
  readonly probe: string;
  readonly ok: boolean;
  readonly finding: string;
  /** What to do; absent where all is well. */
  readonly remedy?: string;
}

/** As lines of text. */
export function lines(findings: readonly Finding[]): string[] {
  const indent = `\n     ${''.padEnd(14)} `;
  return findings.flatMap(({ probe, ok, finding, remedy }) => [
    `${ok ? 'ok  ' : 'BAD '} ${probe.padEnd(14)} ${finding.replaceAll('\n', indent)}`,
    ...(remedy === undefined ? [] : [`     ${''.padEnd(14)} remedy: ${remedy}`]),
  ]);
}
