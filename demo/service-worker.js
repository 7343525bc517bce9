/**
 * Serves the studio without a network. The build writes this file beside the page, with the files that the page is made of and a
 * hash of them: another build is another service worker, which gets all of its files before it takes over.
 */

const PAGE = 'index.html';
const FILES = JSON.parse('{{files}}');
/** Others on this host have names of their own. */
const OURS = `webgpu-bnn ${registration.scope} `;
const CACHE = `${OURS}{{version}}`;

addEventListener('install', (event) => event.waitUntil(keep()));
addEventListener('activate', (event) => event.waitUntil(takeOver()));
// A page that was told of a new version asks for it.
addEventListener('message', ({ data }) => data === 'take over' && skipWaiting());
addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  const file = nameOf(url);
  if (method === 'GET' && file !== undefined) event.respondWith(serve(event.request, file));
});

/** Gets all files; those that an older version has by the same name, which holds a hash, are copied. */
async function keep() {
  const cache = await caches.open(CACHE);
  await Promise.all(
    FILES.map(async (file) => {
      const url = new URL(file, registration.scope);
      const kept = file === PAGE ? undefined : await caches.match(url);
      if (kept !== undefined) return cache.put(url, kept);
      return cache.add(new Request(url, { cache: file === PAGE ? 'reload' : 'default' }));
    }),
  );
}

async function takeOver() {
  const old = (await caches.keys()).filter((name) => name.startsWith(OURS) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await clients.claim();
}

/** Which of the files an address is, whatever its query; undefined where it is none. */
function nameOf(url) {
  const { origin, pathname } = new URL(url);
  const address = origin + pathname;
  if (!address.startsWith(registration.scope)) return undefined;
  const file = decodeURIComponent(address.slice(registration.scope.length)) || PAGE;
  return FILES.includes(file) ? file : undefined;
}

async function serve(request, file) {
  const cache = await caches.open(CACHE);
  return (await cache.match(new URL(file, registration.scope))) ?? fetch(request);
}
