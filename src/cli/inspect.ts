/** `webgpu-bnn inspect`: what a stored network is made of, after it was compiled for inference. */
import { Command } from 'commander';
import { listed, printable } from '../errors.ts';
import type { OnnxEnd } from '../formats/onnx.ts';
import { describePixels, type Model, type Shape, summarize } from '../index.ts';
import { isGgufFile } from '../node/tensors.ts';
import { bytesText } from '../reports/words.ts';
import { MODEL_ARGUMENT, readModel } from './imported.ts';
import { inspectGguf } from './inspect-gguf.ts';
import { jsonOption } from './options.ts';
import { emit, jsonText } from './output.ts';

/** Characters of an encoding that are printed: one in numbers may have thousands of channels. */
const MOST_TEXT = 200;

interface Flags {
  readonly fold: boolean;
  readonly json?: string;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'show the layers of a stored network: graph, shapes, bits, sizes, operations, what was folded; or what a .gguf file holds',
    )
    .argument('<model>', `${MODEL_ARGUMENT}; or a .gguf file`)
    .option('--no-fold', 'show the layers as they are stored')
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  $ webgpu-bnn inspect model.onnx\n  $ webgpu-bnn inspect model.gguf')
    .action(async (path: string, flags: Flags) => {
      if (await isGgufFile(path)) return await inspectGguf(path, flags.json);
      const loaded = await readModel(path, { fold: flags.fold });
      const { format, model, classes, pixels, producer, layout, folded, fused, kept, bytes } = loaded;
      const { inputs, outputs } = loaded;
      const summary = summarize(model);
      if (flags.json !== undefined) {
        const graph = graphOf(model);
        const file = { inputs, outputs };
        const notes = { classes, pixels, producer, layout };
        const result = { format, fileBytes: bytes, file, ...summary, graph, ...notes, folded, fused, kept };
        await emit(jsonText(result, 2), flags.json);
        if (flags.json === '-') return;
      }
      console.log(`format   ${format}`);
      console.log(
        `size     ${bytesText(bytes)} on disk, ${bytesText(summary.total.bytes)} of weights in memory`,
      );
      if (inputs === undefined) {
        const order = layout === undefined ? '' : `; in the file ${printable(layout)}`;
        console.log(`input    ${axesOf(model.inputShape)}${order}`);
      }
      for (const end of inputs ?? []) console.log(`input    ${axesText(end)}`);
      for (const end of outputs ?? []) console.log(`output   ${axesText(end)}`);
      const taken =
        pixels === undefined ? 'the file does not say: run with --pixels' : describePixels(pixels);
      console.log(`pixels   ${taken.length > MOST_TEXT ? `${taken.slice(0, MOST_TEXT)} ...` : taken}`);
      if (producer !== undefined) console.log(`made by  ${printable(producer)}`);
      if (classes !== undefined) console.log(`classes  ${printable(listed(classes))}`);
      if (folded.length > 0) console.log(`folded   ${folded.join(', ')}`);
      for (const { name, took } of fused) console.log(`fused    ${name} with ${took.join(', ')}`);
      for (const { name, reason } of kept) console.log(`kept     ${name}: ${reason}`);
      const packed = bitsBetween(model).flatMap((bits, index) =>
        bits === 1 ? [model.layers[index]?.name] : [],
      );
      if (packed.length > 0) console.log(`packed   one bit a value leaves ${packed.join(', ')}`);
      console.log(`\n${model.summary()}`);
      const branches = graphOf(model).filter(({ inputs }, index, all) => {
        const before = all[index - 1]?.name ?? 'input';
        return inputs.length !== 1 || inputs[0] !== before;
      });
      if (branches.length > 0) {
        console.log('\nLayers that take something else than the layer before them:');
        for (const { name, inputs } of branches) console.log(`  ${name} takes ${inputs.join(', ')}`);
      }
    });
}

/** A shape with the names of its axes. */
function axesOf(shape: Shape): string {
  const names = shape.length === 3 ? ' (height, width, channels)' : '';
  return `${shape.join(' x ')}${names}`;
}

/** A value of an ONNX file with what each of its axes is. */
function axesText({ name, dims, layout }: OnnxEnd): string {
  const words: Readonly<Record<string, string>> = {
    C: layout === 'NC' ? 'features' : 'channels',
    D: 'depth',
    H: 'height',
    W: layout.includes('H') ? 'width' : 'length',
  };
  const axes = dims.map((extent, axis) => {
    const word = words[layout[axis] ?? ''];
    return word === undefined ? 'batch' : `${word} ${extent}`;
  });
  return `${printable(name)} [${axes.join(', ')}]`;
}

interface GraphEntry {
  readonly name: string;
  readonly kind: string;
  /** Names of what the layer takes. */
  readonly inputs: readonly string[];
  /** Of each value that leaves it. */
  readonly outputBits: 1 | 32;
}

function graphOf(model: Model): GraphEntry[] {
  const bits = bitsBetween(model);
  return model.layers.map(({ name, layer, inputs }, index) => ({
    name,
    kind: layer.kind,
    inputs: inputs.map((from) => model.layers[from]?.name ?? 'input'),
    outputBits: bits[index] ?? 32,
  }));
}

/** Bits of the values that leave each layer: signs travel packed as long as nobody needs them as numbers. */
function bitsBetween(model: Model): (1 | 32)[] {
  const bits: (1 | 32)[] = [];
  for (const { layer, inputs, inputShapes, outputShape } of model.layers) {
    const { output, reshapes } = layer.traits ?? {};
    const [from, to] = [inputShapes[0]?.at(-1) ?? 1, outputShape.at(-1) ?? 1];
    // Packed rows stay packed under another shape only if they fill their words, or stay the same.
    const keepsRows = reshapes !== true || from === to || (from % 32 === 0 && to % 32 === 0);
    const staysSigns = output === 'selection' && keepsRows && inputs.every((at) => bits[at] === 1);
    const isSigns = output === 'signs' || staysSigns;
    bits.push(isSigns ? 1 : 32);
  }
  return bits;
}
