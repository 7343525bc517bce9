/** The page without a network: a service worker keeps its files, and tells when there is a newer version of them. */
import { signal } from '@preact/signals';

/** A newer version of the page, which waits until it is taken. */
export const newer = signal<ServiceWorker | undefined>(undefined);

/** Keeps the page in this browser, where it can be kept; a page that is developed changes too often. */
export function keepOffline(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  // What is shown first comes first.
  addEventListener('load', async () => {
    try {
      const address = new URL('service-worker.js', document.baseURI);
      const registration = await navigator.serviceWorker.register(address);
      const look = () => {
        newer.value =
          navigator.serviceWorker.controller === null ? undefined : (registration.waiting ?? undefined);
      };
      registration.addEventListener('updatefound', () =>
        registration.installing?.addEventListener('statechange', look),
      );
      look();
    } catch {
      // Not kept: it works as long as there is a network.
    }
  });
}

/** Loads the newer version; a run goes on where it was kept last. */
export function takeNewer(): void {
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
  newer.value?.postMessage('take over');
}
