/** How the site looks and is ordered; what stands in it is in docs/, and in pages that `pages.ts` makes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { sidebar, repository } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'pages', 'sidebar.json'), 'utf8'),
);

export default {
  title: 'webgpu-bnn',
  description: 'Train, study and run binary neural networks on any GPU that WebGPU reaches.',
  lang: 'en',
  srcDir: 'pages',
  base: process.env.SITE_BASE ?? '/',
  outDir: process.env.SITE_OUT,
  cleanUrls: false,
  // test/site.test.ts looks at every link of the built site.
  ignoreDeadLinks: true,
  markdown: {
    languages: ['ts', 'js', 'json', 'sh', 'html', 'python', 'wgsl'],
    // In light code, the darker theme: the default's comments and keywords lack contrast.
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Start', link: '/getting-started' },
      { text: 'Methods', link: '/methods/' },
      { text: 'Layers', link: '/layers/' },
      { text: 'Theory', link: '/theory' },
      { text: 'API', link: '/api/' },
    ],
    sidebar,
    notFound: {
      title: 'There is no such page',
      quote: 'Search for it, or begin at the start.',
      linkText: 'Take me home',
      linkLabel: 'Take me home',
    },
    socialLinks: [{ icon: 'github', link: repository, ariaLabel: 'the repository' }],
  },
};
