/** Quantities as the page says them. */

/** `17 KB`, `2.7 MB`. */
export function kilobytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
