/** `webgpu-bnn inspect FILE.gguf`: what the file says of itself, and its tensors. */
import Table from 'cli-table3';
import type { GgufValue } from '../formats/gguf.ts';
import { GGUF_TYPES } from '../formats/gguf-types.ts';
import { sizeOf } from '../index.ts';
import { openGguf } from '../node/tensors.ts';
import { bytesText, whole } from '../reports/words.ts';
import { emit, jsonText } from './output.ts';

/** Characters of a value that are printed: templates of chats are pages long. */
const MOST_TEXT = 60;

export async function inspectGguf(path: string, json: string | undefined): Promise<void> {
  const file = await openGguf(path);
  await file.close();
  const { version, alignment, metadata, entries } = file.header;
  const tensors = [...entries].map(([name, { dtype, shape, begin, end }]) => {
    const { block, bytes } = GGUF_TYPES[dtype];
    return { name, type: dtype, shape, bitsAWeight: (8 * bytes) / block, bytes: end - begin };
  });
  const weights = tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const bitsAWeight = weights === 0 ? 0 : (8 * bytes) / weights;
  if (json !== undefined) {
    const values = [...metadata].map(([key, value]) => ({ key, ...value }));
    const total = { tensors: tensors.length, weights, bytes, bitsAWeight };
    const head = { format: 'gguf', version, fileBytes: file.bytes, alignment };
    await emit(jsonText({ ...head, total, metadata: values, tensors }, 2), json);
    if (json === '-') return;
  }
  console.log(`format   GGUF, version ${version}`);
  console.log(`size     ${bytesText(file.bytes)} on disk`);
  console.log(
    `weights  ${whole(weights)} in ${tensors.length} tensors, ${bitsText(bitsAWeight)} bits a weight`,
  );
  const style = { head: [], border: [] };
  const says = new Table({ head: ['key', 'type', 'value'], style });
  for (const [key, value] of metadata) says.push([key, typeText(value), valueText(value)]);
  if (metadata.size > 0) console.log(says.toString());
  const table = new Table({
    head: ['tensor', 'type', 'shape', 'bits a weight', 'bytes'],
    colAligns: ['left', 'left', 'left', 'right', 'right'],
    style,
  });
  for (const { name, type, shape, bitsAWeight: bits, bytes: size } of tensors) {
    table.push([name, type, shape.join(' x '), bitsText(bits), whole(size)]);
  }
  console.log(table.toString());
}

/** `1.125`, `4.5`, `32`. */
function bitsText(bits: number): string {
  return `${Number(bits.toFixed(4))}`;
}

function typeText(value: GgufValue): string {
  return value.type === 'array' ? `${whole(value.length)} ${value.of}` : value.type;
}

function valueText(value: GgufValue): string {
  if (value.type !== 'array') {
    const text = String(value.value).replaceAll('\n', '\\n');
    return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)} ...` : text;
  }
  const text = value.first.map(valueText).join(', ').slice(0, MOST_TEXT);
  return value.length > value.first.length || text.length === MOST_TEXT ? `${text} ...` : text;
}
