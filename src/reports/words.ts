/** Quantities in words, as commands and reports say them. */

/** `42 s`, `3 min 05 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

/** `812 B`, `40.2 kB`, `1.5 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 2 ** 20 ? `${(bytes / 2 ** 10).toFixed(1)} kB` : megabytes(bytes);
}

/** With separators between thousands. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `1 seed`, `3 seeds`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `97.39 %`; a dash for what is no number. */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(2)} %` : '–';
}

/** `dense1/kernel` is `dense1` where there is no doubt. */
export function shortName(name: string): string {
  return name.replace(/\/kernel$/, '');
}
