/** Looks at every link of the built site: each leads to a file that is there, and each anchor to an element. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const site = join(import.meta.dirname, '..', '..', 'dist-site');
const base = process.env.SITE_BASE ?? '/';
const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.html'),
);
const texts = new Map(pages.map((name) => [join(site, name), readFileSync(join(site, name), 'utf8')]));

/** The file that an address names; undefined where there is none. */
function fileOf(path) {
  const candidates = [path, `${path}.html`, join(path, 'index.html')];
  return candidates.find((file) => existsSync(file) && statSync(file).isFile());
}

let links = 0;
const broken = [];
for (const [page, text] of texts) {
  for (const [, target = ''] of text.matchAll(/\s(?:href|src)="([^"]*)"/g)) {
    if (/^([a-z]+:|\/\/)/i.test(target) || target === '') continue;
    links += 1;
    const [path = '', anchor = ''] = target.replaceAll('&amp;', '&').split('#');
    const decoded = decodeURIComponent(path.replace(/\?.*/, ''));
    const absolute = decoded.startsWith('/');
    const inside = absolute ? (decoded.startsWith(base) ? decoded.slice(base.length) : undefined) : decoded;
    const file =
      inside === undefined
        ? undefined
        : path === ''
          ? page
          : fileOf(join(absolute ? site : dirname(page), inside));
    const hasAnchor = () =>
      anchor === '' || !texts.has(file) || texts.get(file).includes(`id="${decodeURIComponent(anchor)}"`);
    if (file === undefined || !hasAnchor()) broken.push(`${relative(site, page)}: ${target}`);
  }
}
for (const each of broken) console.error(each);
console.log(`${pages.length} pages, ${links} links, ${broken.length} broken`);
process.exit(broken.length === 0 && links > 0 ? 0 : 1);
