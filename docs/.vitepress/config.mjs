/** The documentation as a site: `npm run site` writes it to `dist-site/`. Its pages are the files beside this folder, as they are. */
import { dirname, join, relative, sep } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };

const docs = join(import.meta.dirname, '..');
const repository = manifest.homepage.replace(/#.*/, '');

/** Links that leave the documentation lead to the repository. */
function leadToRepository(md) {
  md.core.ruler.push('repository', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === 'link_open' ? token.attrGet('href') : null;
      if (href === null || /^[a-z]+:|^#/.test(href)) continue;
      const path = relative(docs, join(docs, dirname(env.relativePath), href));
      const isFolder = !/\.md(#|$)/.test(href);
      if (path.startsWith('..') || isFolder) {
        const inRepository = relative(join(docs, '..'), join(docs, path)).split(sep).join('/');
        token.attrSet('href', `${repository}/blob/main/${inRepository}`);
      }
    }
  });
}

export default {
  title: 'webgpu-bnn',
  description: manifest.description,
  lang: 'en',
  // A folder of the host that it is published on: `/webgpu-bnn/`.
  base: process.env.SITE_BASE ?? '/',
  outDir: '../dist-site',
  cacheDir: '../node_modules/.cache/vitepress',
  srcExclude: ['api/**'],
  rewrites: { 'README.md': 'index.md', 'extending/README.md': 'extending/index.md' },
  markdown: { config: leadToRepository },
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'API', link: '/api/index.html', target: '_self' },
      { text: 'Repository', link: repository },
    ],
    sidebar: [
      {
        text: 'Use it',
        items: [
          { text: 'Getting started', link: '/getting-started' },
          { text: 'Data of your own', link: '/data' },
          { text: 'Networks in files', link: '/models' },
          { text: 'In other projects', link: '/in-projects' },
          { text: 'The command line', link: '/command-line' },
          { text: 'Coming from Larq, ...', link: '/coming-from' },
          { text: 'Where it runs', link: '/compatibility' },
        ],
      },
      {
        text: 'Your own methods',
        items: [
          { text: 'Overview', link: '/extending/' },
          ...['quantizer', 'optimizer', 'penalty', 'loss', 'layer', 'source', 'hook'].map((name) => ({
            text: `A ${name}`.replace(/^A (?=o)/, 'An '),
            link: `/extending/${name}`,
          })),
        ],
      },
      {
        text: 'Results',
        items: [
          { text: 'Training and sizes', link: '/results/training' },
          { text: 'SwiftShader', link: '/results/software-adapter' },
          { text: 'llvmpipe', link: '/results/llvmpipe' },
          { text: 'Geometry', link: '/results/geometry' },
        ],
      },
    ],
  },
};
