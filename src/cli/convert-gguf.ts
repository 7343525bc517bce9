/** `webgpu-bnn convert MODEL OUT.gguf`: the tensors of a model, with one bit a weight. */
import { listed } from '../errors.ts';
import { sizeOf } from '../index.ts';
import { writeOneBit } from '../node/one-bit.ts';
import { bytesText, whole } from '../reports/words.ts';

export async function convertToGguf(path: string, out: string, verify: boolean): Promise<void> {
  const { tensors, leftOut, bytes } = await writeOneBit(path, out, { verify });
  const small = tensors.filter(({ dtype }) => dtype === 'Q1_0');
  const kept = tensors.filter(({ dtype }) => dtype !== 'Q1_0');
  const weights = (of: typeof tensors) => whole(of.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
  console.log(`written   ${out}: ${bytesText(bytes)}`);
  console.log(`one bit   ${weights(small)} weights of ${small.length} tensors, 1.125 bits each (Q1_0)`);
  if (kept.length > 0) {
    const names = listed(kept.map(({ name, dtype }) => `${name} (${dtype})`));
    console.log(`kept      ${weights(kept)} weights as they are: ${names}`);
  }
  for (const { name, reason } of leftOut) console.log(`left out  ${name}: ${reason}`);
  if (verify) console.log('verified  read back from the disk: the same bits');
}
