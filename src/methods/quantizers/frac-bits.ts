import { defineQuantizer } from '../define-quantizer.ts';
import { WINDOW } from './window.ts';

/** Two bits of an activation as two products of signs: the first counts twice what the second does. */
export const fracBits = /* @__PURE__ */ defineQuantizer({
  name: 'fracBits',
  about: 'two bits of an activation, uniform in [-1, 1]: the first counts twice what the second does',
  formula:
    '2/3 sign(x) + 1/3 sign(x - 2/3 sign(x)): the nearest of -1, -1/3, 1/3, 1; gradient: 1 where |x| <= clip',
  source: 'Zhang et al. 2020 (FracBNN), arXiv 2012.12206, and the code of its authors: Q2',
  provenance: 'authors',
  recipe:
    'CIFAR-10 with ResNet-20, thermometer input, precision gates, RSign and RPReLU, in two steps, Adam at 1e-3: they report 89.1 %; ImageNet 71.7 %.',
  remarks:
    'This is the product with all bits, everywhere. The gates of theirs, which leave the second one away where it matters little, are the layer quantGatedConv2d; their input layer is thermometer. Their code has a clip of 1 here, and 1.3 for signs alone and for weights.',
  ...WINDOW,
  parameters: { clip: { default: 1.3, above: 0, says: 'half width of the window' } },
  row: {
    wgsl: `
      override PLANE: u32;
      fn scale(row: RowStatistics) -> f32 { return select(1.0 / 3.0, 2.0 / 3.0, PLANE == 0u); }`,
    straight: true,
    planes: { count: () => 2, of: 'remainder' },
    scale: (_, { plane }) => (plane === 0 ? 2 / 3 : 1 / 3),
  },
});
