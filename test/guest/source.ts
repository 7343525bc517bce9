/** A source of an outsider that streams: packed records, four bits a pixel, which are unpacked when they are read. */
import type { Dataset } from 'webgpu-bnn';
import { defineSource, type StreamedSource } from 'webgpu-bnn/methods';

/** The images of a data set as records: a byte of the label, then two pixels a byte. */
export function packed({ train, image }: Dataset): Uint8Array {
  const size = image.reduce((product, extent) => product * extent, 1);
  const records = new Uint8Array(train.count * (1 + size / 2));
  for (let sample = 0; sample < train.count; sample++) {
    const at = sample * (1 + size / 2);
    records[at] = train.labels[sample] ?? 0;
    for (let pixel = 0; pixel < size; pixel++) {
      const four = (train.images[sample * size + pixel] ?? 0) >> 4;
      records[at + 1 + (pixel >> 1)] = (records[at + 1 + (pixel >> 1)] ?? 0) | (four << (4 * (pixel & 1)));
    }
  }
  return records;
}

/** @param load gives a record: from a file, a server or, here, an array */
export function recordSource(
  count: number,
  size: number,
  load: (sample: number) => Uint8Array | Promise<Uint8Array>,
): StreamedSource {
  return defineSource({
    count,
    dtype: 'u8',
    identity: `acme records of ${size} pixels, version 1`,
    async read(samples, { images, labels }) {
      for (const [row, sample] of samples.entries()) {
        const record = await load(sample);
        labels[row] = record[0] ?? 0;
        for (let pixel = 0; pixel < size; pixel++) {
          images[row * size + pixel] = 17 * (((record[1 + (pixel >> 1)] ?? 0) >> (4 * (pixel & 1))) & 15);
        }
      }
    },
  });
}
