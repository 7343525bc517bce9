/** axe-core, which comes with the documentation site's own packages: what is in the way of some people on a page. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'puppeteer-core';

interface Axe {
  run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
}

const SITE = join(import.meta.dirname, '..', '..', 'docs', 'site');
const SCRIPT = join(SITE, 'node_modules', 'axe-core', 'axe.min.js');

/** What axe-core finds on a page as it is now; the first of each kind. */
export async function violations(page: Page): Promise<{ id: string; first: string; html: string }[]> {
  if (!existsSync(SCRIPT)) {
    const shell = process.platform === 'win32';
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: SITE, shell, stdio: 'ignore' });
  }
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(readFileSync(SCRIPT, 'utf8'));
  const { violations: found } = await page.evaluate(() => (globalThis as unknown as { axe: Axe }).axe.run());
  return found.map(({ id, nodes }) => ({
    id,
    first: nodes[0]?.failureSummary ?? '',
    html: nodes[0]?.html.slice(0, 300) ?? '',
  }));
}
