/** A small network as a link holds it: its parameters one after another, one bit a binary weight, deflated. */
import type { Network, ParameterValue } from '../../src/index.ts';
import { TroubleError } from './protocol.ts';

/** The network's parameters in a link's bytes. */
export async function packNetwork(network: Network): Promise<Uint8Array<ArrayBuffer>> {
  const parts = [...(await network.packedValues()).values()].map(plain);
  const deflated = new Blob(parts).stream().pipeThrough(new CompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(deflated).arrayBuffer());
}

/**
 * Gives a network what a link holds.
 * @throws TroubleError where that is damaged, or of another network
 */
export async function unpackInto(network: Network, packed: Uint8Array<ArrayBuffer>): Promise<void> {
  const own = [...(await network.packedValues())];
  const size = own.reduce((sum, [, value]) => sum + plain(value).byteLength, 0);
  const bytes = await inflated(packed, size);
  let at = 0;
  const values = new Map<string, ParameterValue>();
  for (const [name, value] of own) {
    const end = at + plain(value).byteLength;
    const part = bytes.slice(at, end).buffer;
    at = end;
    if (value instanceof Float32Array) values.set(name, new Float32Array(part));
    else values.set(name, { ...value, words: new Uint32Array(part) });
  }
  const areFinite = [...values.values()].every(
    (value) => !(value instanceof Float32Array) || value.every(Number.isFinite),
  );
  if (!areFinite) throw damaged('numbers that are not finite');
  await network.load(values);
}

const plain = (value: ParameterValue) =>
  (value instanceof Float32Array ? value : value.words) as Float32Array<ArrayBuffer>;

/** Exactly so many bytes: what would inflate to more is not inflated further. */
async function inflated(packed: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let at = 0;
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > size)
        throw damaged(`more than the ${size} bytes of the network of its settings`);
      bytes.set(value, at);
      at += value.length;
    }
  } catch (cause) {
    await reader.cancel().catch(() => undefined);
    throw cause instanceof TroubleError ? cause : damaged('what can not be inflated');
  }
  if (at < size) throw damaged(`${at} of the ${size} bytes of the network of its settings`);
  return bytes;
}

function damaged(given: string): TroubleError {
  return new TroubleError({
    kind: 'error',
    what: 'The network in the link is damaged.',
    given,
    remedy: 'copy the link again, or reset to train the network of its settings',
  });
}
