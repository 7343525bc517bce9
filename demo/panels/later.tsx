/** A panel that is loaded when it is shown first. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function Later({ load }: { readonly load: () => Promise<ComponentType> }) {
  const [Panel, show] = useState<ComponentType>();
  useEffect(() => {
    // In a function, since a component is one, too.
    load().then((loaded) => show(() => loaded));
  }, []);
  return Panel === undefined ? <p class="hint">Loading …</p> : <Panel />;
}
