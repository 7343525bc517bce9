/** How filters lie in the engine's memory. Given are packed signs [filters, taps, words] or reals [filters, taps, channels]. */

type FilterShape = readonly [filters: number, height: number, width: number, channels: number];

/**
 * Filters in pairs: 16 bytes of one, 16 of the other, until both end; every group has an even number of them. Words after the
 * last one of a filter are 0.
 */
export function pairedFilters(words: Uint32Array, shape: FilterShape, groups: number): Uint32Array {
  const [filters] = shape;
  const length = words.length / filters;
  const stride = Math.ceil(length / 4) * 4;
  const each = filters / groups;
  const padded = Math.ceil(each / 2) * 2;
  const paired = new Uint32Array(groups * padded * stride);
  for (let filter = 0; filter < filters; filter++) {
    const at = Math.floor(filter / each) * padded + (filter % each);
    const start = (at & ~1) * stride + (at & 1) * 4;
    for (let i = 0; i < length; i++) {
      paired[start + (i >> 2) * 8 + (i & 3)] = words[filter * length + i] ?? 0;
    }
  }
  return paired;
}

/** Signs of eight filters to a byte, for reals and integers to be multiplied with: [groups, filters / 8, taps·channels]. */
export function byteFilters(words: Uint32Array, shape: FilterShape, groups: number): Uint8Array {
  const [filters, height, width, channels] = shape;
  const rowWords = Math.ceil(channels / 32);
  const taps = height * width;
  const each = filters / groups;
  const panelsEach = Math.ceil(each / 8);
  const bytes = new Uint8Array(groups * panelsEach * taps * channels);
  for (let filter = 0; filter < filters; filter++) {
    const own = filter % each;
    const panel = Math.floor(filter / each) * panelsEach + (own >> 3);
    for (let tap = 0; tap < taps; tap++) {
      for (let c = 0; c < channels; c++) {
        const bit = ((words[(filter * taps + tap) * rowWords + (c >> 5)] ?? 0) >>> (c & 31)) & 1;
        const at = panel * taps * channels + tap * channels + c;
        bytes[at] = (bytes[at] ?? 0) | (bit << (own & 7));
      }
    }
  }
  return bytes;
}

/** Reals of eight filters side by side: [groups, filters / 8, taps·channels, 8]. */
export function panels(reals: Float32Array, shape: FilterShape, groups: number): Float32Array {
  const [filters] = shape;
  const length = reals.length / filters;
  const each = filters / groups;
  const panelsEach = Math.ceil(each / 8);
  const laid = new Float32Array(groups * panelsEach * length * 8);
  for (let filter = 0; filter < filters; filter++) {
    const own = filter % each;
    const panel = Math.floor(filter / each) * panelsEach + (own >> 3);
    for (let i = 0; i < length; i++) {
      laid[(panel * length + i) * 8 + (own & 7)] = reals[filter * length + i] ?? 0;
    }
  }
  return laid;
}

/** Of depthwise filters: each tap's signs of all channels, packed. */
export function tapMajorSigns(words: Uint32Array, [filters, height, width]: FilterShape): Uint32Array {
  const taps = height * width;
  const rowWords = Math.ceil(filters / 32);
  const signs = new Uint32Array(taps * rowWords);
  words.forEach((word, i) => {
    const [filter, tap] = [Math.floor(i / taps), i % taps];
    const at = tap * rowWords + (filter >> 5);
    signs[at] = (signs[at] ?? 0) | ((word & 1) << (filter & 31));
  });
  return signs;
}

/** Of depthwise filters: each tap's weights of all channels. */
export function tapMajorReals(
  weights: ({ readonly reals: Float32Array } | { readonly signs: Uint32Array }) & {
    readonly shape: FilterShape;
  },
): Float32Array {
  const [filters, height, width] = weights.shape;
  const taps = height * width;
  const laid = new Float32Array(taps * filters);
  for (let i = 0; i < laid.length; i++) {
    const from = (i % filters) * taps + Math.floor(i / filters);
    laid[i] = 'reals' in weights ? (weights.reals[from] ?? 0) : (weights.signs[from] ?? 0) & 1 ? -1 : 1;
  }
  return laid;
}
