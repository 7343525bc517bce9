/** Reads what Mesa's compilers print of a shader: registers, spills and instructions. See test/compilers.ts. */

export interface Compiled {
  readonly name: string;
  readonly isDefault: boolean;
  /** Of an invocation; `-` where it isn't said. */
  readonly registers: number | '-';
  readonly spills: number;
  readonly instructions: number;
  /** The basic block that does most of the work; undefined where there is nothing to count. */
  readonly main:
    | { readonly instructions: number; readonly useful: number; readonly unit: string }
    | undefined;
}

export type Dialect = (lines: readonly string[]) => Omit<Compiled, 'name' | 'isDefault'>;

/** The block with most of what is looked for: population counts, or multiplications where there are none. */
function mainOf(
  blocks: readonly (readonly string[])[],
  counts: RegExp,
  multiplies: RegExp,
): Compiled['main'] {
  for (const [unit, wanted] of [
    ['word', counts],
    ['multiplication', multiplies],
  ] as const) {
    const found = blocks
      .map((block) => ({
        instructions: block.length,
        // Some instructions do two things.
        useful: block.reduce((sum, line) => sum + (line.match(wanted)?.length ?? 0), 0),
        unit,
      }))
      .reduce((most, block) => (block.useful > most.useful ? block : most), {
        instructions: 0,
        useful: 0,
        unit,
      });
    if (found.useful >= 4) return found;
  }
  return undefined;
}

/** Lines between those that a pattern ends blocks at; what isn't an instruction is left out. */
function split(lines: readonly string[], ends: RegExp, isInstruction: RegExp): string[][] {
  const blocks: string[][] = [[]];
  for (const line of lines) {
    if (isInstruction.test(line)) blocks.at(-1)?.push(line);
    if (ends.test(line)) blocks.push([]);
  }
  return blocks;
}

const numberIn = (lines: readonly string[], pattern: RegExp): number | undefined => {
  const found = lines.map((line) => pattern.exec(line)?.[1]).find((text) => text !== undefined);
  return found === undefined ? undefined : Number(found);
};

/** `RADV_DEBUG=shaders,shaderstats`. */
export const readAmd: Dialect = (lines) => {
  const code = lines.slice(lines.lastIndexOf('disasm:') + 1);
  const blocks = split(code, /^BB\d+:|\bs_c?branch/, /^\t[a-z_]+\w* ?/);
  return {
    registers: numberIn(lines, /^VGPRs: (\d+)/) ?? '-',
    spills: (numberIn(lines, /^Spilled VGPRs: (\d+)/) ?? 0) + (numberIn(lines, /^Spilled SGPRs: (\d+)/) ?? 0),
    instructions: numberIn(lines, /^Instructions: (\d+)/) ?? 0,
    main: mainOf(blocks, /v_bcnt_u32/g, /v_(?:dual_)?(?:pk_)?(?:mul|fma|fmac|fmamk|fmaak|mac|mad)_f32/g),
  };
};

/** `INTEL_DEBUG=cs`; of several widths the last is the one that is used. */
export const readIntel: Dialect = (lines) => {
  const stats = lines.filter((line) => /^SIMD\d+ shader:/.test(line)).slice(-1);
  const code = lines.slice(lines.findLastIndex((line) => line.startsWith('Native code')) + 1);
  const blocks = split(
    code,
    /^L\d+:|\b(?:if|else|endif|while|break|halt) \(/,
    /^(?:\([^)]*\))?\s+[a-z][\w.]* \(\d+\)/,
  );
  return {
    registers: '-',
    spills: numberIn(stats, /(\d+):\d+ spills:fills/) ?? 0,
    instructions: numberIn(stats, /shader: (\d+) instructions/) ?? 0,
    main: mainOf(blocks, /\bcbit \(/g, /\b(?:mad|mul) \((?=.*:f)/g),
  };
};

/** `NAK_DEBUG=print`: the last form of the code before it is encoded. */
export const readNvidia: Dialect = (lines) => {
  const from = lines.findLastIndex((line) => line.includes('after calc_instr_deps'));
  const to = lines.findIndex((line, i) => i > from && line.startsWith('Num GPRs'));
  const code = lines.slice(from + 1, to);
  const isInstruction = /\/\/ delay=/;
  return {
    registers: numberIn(lines.slice(to), /^Num GPRs: (\d+)/) ?? '-',
    spills: numberIn(lines.slice(to - 12), /^Spills to mem: (\d+)/) ?? 0,
    instructions: code.filter((line) => isInstruction.test(line)).length,
    main: mainOf(split(code, /^\}/, isInstruction), /\bpopc\b/g, /\b(?:ffma|fmul)\b/g),
  };
};
