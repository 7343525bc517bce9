/** What a request to a server of this machine asks for: anyone may send it anything. */

/**
 * The decoded path of a request's target, without what follows `?` or `#`.
 * @returns undefined for one that is none: `/%`, `//`, an address of another host
 */
export function requestPath(target: string | undefined): string | undefined {
  const path = /^\/(?!\/)[^?#]*/.exec(target ?? '/')?.[0];
  if (path === undefined) return undefined;
  try {
    const decoded = decodeURIComponent(path);
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}
