/** Names what a picture shows: one that is dropped or chosen, or what is before the camera. Nothing is sent anywhere. */
import { loadModel } from './webgpu-bnn.js';

const $ = (id) => document.getElementById(id);
const [height, width, channels] = [$('seen').height, $('seen').width, Number('{{channels}}')];

/** WebGPU where there is hardware, else WebAssembly; `?engine=gpu` or `?engine=wasm` asks for one. */
async function createClassifier() {
  const loaded = await loadModel(new URL('./model.safetensors', import.meta.url).href);
  const engine = new URLSearchParams(location.search).get('engine') ?? undefined;
  return loaded.createClassifier({ engine });
}

/** How much of which old pixels a new one is, along an axis: the mean of what it covers, or of the two nearest. */
function shares(from, to) {
  const step = from / to;
  return Array.from({ length: to }, (_, at) => {
    if (step > 1) {
      const [begin, end] = [at * step, Math.min(from, (at + 1) * step)];
      const first = Math.floor(begin);
      const covered = (i) => Math.min(end, i + 1) - Math.max(begin, i);
      return Array.from({ length: Math.ceil(end - 1e-9) - first }, (_, k) => [
        first + k,
        covered(first + k) / step,
      ]);
    }
    const centre = Math.min(from - 1, Math.max(0, (at + 0.5) * step - 0.5));
    const first = Math.min(Math.floor(centre), Math.max(0, from - 2));
    return [
      [first, 1 - (centre - first)],
      [Math.min(first + 1, from - 1), centre - first],
    ];
  });
}

/** A picture's bytes as the training had them: [height, width, channels], each axis brought to its size. */
function bytesOf(picture, pictureWidth, pictureHeight) {
  const canvas = new OffscreenCanvas(pictureWidth, pictureHeight);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(picture, 0, 0, pictureWidth, pictureHeight);
  const { data } = context.getImageData(0, 0, pictureWidth, pictureHeight);
  const grey = [0.299, 0.587, 0.114];
  const value = (pixel, c) =>
    channels === 1
      ? Math.round(grey.reduce((sum, part, i) => sum + part * data[4 * pixel + i], 0))
      : data[4 * pixel + c];
  const [rows, columns] = [shares(pictureHeight, height), shares(pictureWidth, width)];
  return Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const [place, c] = [Math.floor(i / channels), i % channels];
    let sum = 0;
    for (const [row, part] of rows[Math.floor(place / width)]) {
      for (const [column, share] of columns[place % width])
        sum += part * share * value(row * pictureWidth + column, c);
    }
    return Math.round(sum);
  });
}

/** Draws what the network sees, and names it. */
async function show(classifier, bytes) {
  const seen = new ImageData(width, height);
  for (let i = 0; i < 4 * width * height; i++)
    seen.data[i] = i % 4 === 3 ? 255 : bytes[Math.floor(i / 4) * channels + Math.min(i % 4, channels - 1)];
  $('seen').getContext('2d').putImageData(seen, 0, 0);
  const { results, millisecondsPerImage } = await classifier.classify(bytes);
  const best = results[0].map(({ name, score }) => {
    const item = document.createElement('li');
    item.textContent = `${name} (${score.toFixed(2)})`;
    return item;
  });
  $('result').replaceChildren(...best);
  $('status').textContent = `${millisecondsPerImage.toFixed(1)} ms, by ${classifier.engine}`;
}

async function classifyFile(classifier, file) {
  const bitmap = await createImageBitmap(file);
  await show(classifier, bytesOf(bitmap, bitmap.width, bitmap.height));
}

async function useCamera(classifier) {
  const video = $('video');
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  video.hidden = false;
  await video.play();
  const look = async () => {
    await show(classifier, bytesOf(video, video.videoWidth, video.videoHeight));
    requestAnimationFrame(attempt(look));
  };
  await look();
}

/** Whatever goes wrong is said in the page. */
const attempt =
  (action) =>
  (...given) =>
    action(...given).catch((error) => {
      $('status').textContent = `${error.name}: ${error.message}`;
    });

async function start() {
  const classifier = await createClassifier();
  const take = attempt((file) => classifyFile(classifier, file));
  $('file').onchange = ({ target }) => target.files[0] && take(target.files[0]);
  $('camera').onclick = attempt(() => useCamera(classifier));
  document.ondragover = (event) => {
    event.preventDefault();
    $('drop').classList.add('over');
  };
  document.ondragleave = () => $('drop').classList.remove('over');
  document.ondrop = (event) => {
    event.preventDefault();
    $('drop').classList.remove('over');
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  };
  $('status').textContent = `Ready, by ${classifier.engine}.`;
}

attempt(start)();
