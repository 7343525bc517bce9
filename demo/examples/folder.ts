/** Learns the pictures of a folder that a visitor chooses, hands the model over as a file, and names other pictures with it. */
import { Gpu, imagesFromFiles, loadModel, mlp, saveTraining, Trainer } from 'webgpu-bnn';
import { log, run } from './page.ts';

const SIZE = 16;
const [folder, picture, more, link] = ['folder', 'picture', 'more', 'model'].map((id) =>
  document.getElementById(id),
) as [HTMLInputElement, HTMLInputElement, HTMLElement, HTMLAnchorElement];

async function learn(files: FileList): Promise<void> {
  const data = await imagesFromFiles(files, { size: [SIZE, SIZE] });
  log(
    `${data.name}: ${data.train.count} pictures of ${data.classes.join(', ')}; ${data.test.count} for tests`,
  );
  const gpu = await Gpu.request();
  const model = mlp({ input: data.image, classes: data.classes.length, units: 256 });
  const trainer = await Trainer.create(gpu, model, data, { epochs: 6, batch: 20 });
  await trainer.fit({
    onEpoch: ({ epoch, trainLoss, testAccuracy = 0 }) =>
      log(
        `epoch ${epoch}: loss ${trainLoss.toFixed(3)}, held out ${(100 * testAccuracy).toFixed(1)} % right`,
      ),
  });

  const bytes = await saveTraining(trainer, 'onnx');
  trainer.dispose();
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = `${data.name}.onnx`;
  more.hidden = false;

  const classifier = await (await loadModel(bytes)).createClassifier(gpu);
  picture.onchange = () => {
    const [file] = picture.files ?? [];
    if (file === undefined) return;
    run(async () => {
      const { results } = await classifier.classify(file, { top: 1 });
      log(`${file.name}: ${results[0]?.[0]?.name}`);
    });
  };
}

folder.onchange = () => {
  const { files } = folder;
  if (files !== null) run(() => learn(files));
};
