/** A report's page, looked at as text. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';

/** What a page shows: it without its one script, which the page's own policy names by its hash, and without its styles. */
export function contentOf(page: string): string {
  const scripts = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)];
  expect(scripts.length).toBe(1);
  const hash = createHash('sha256')
    .update(scripts[0]?.[1] ?? '')
    .digest('base64');
  expect(page).toContain(`script-src &#39;sha256-${hash}&#39;`);
  expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<title'));
  return page.replace(scripts[0]?.[0] ?? '', '').replace(/<style>[\s\S]*?<\/style>/, '');
}

/** Pages reach nothing outside: no address but the name of SVG's namespace, no file, no frame. */
export function expectSelfContained(content: string): void {
  expect(content).not.toMatch(/<link|<iframe|<object|<embed|\shref=|@import|url\((?!#)/i);
  expect(
    [...content.matchAll(/\bsrc="([^"]*)"/g)].filter(
      ([, source]) => !source?.startsWith('data:image/png;base64,'),
    ),
  ).toEqual([]);
  const addresses = [...new Set(content.match(/\w+:\/\/[^"'\s<)]+/g))];
  expect(addresses.filter((address) => !address.startsWith('http://www.w3.org/'))).toEqual([]);
}
