/** The camera of the device, as the page uses it: asked for when a visitor wants it, and let go of when it is not shown. */
import { signal } from '@preact/signals';
import type { Trouble } from '../worker/protocol.ts';

/** What the camera shows now; undefined where it is off. */
export const stream = signal<MediaStream | undefined>(undefined);
export const cameraTrouble = signal<Trouble | undefined>(undefined);

/** Pixels of the side of a picture that is taken at least: the middle of what is seen. */
const SIDE = 112;

export async function openCamera(): Promise<void> {
  cameraTrouble.value = undefined;
  try {
    if (navigator.mediaDevices === undefined) throw new DOMException('no secure page', 'NotAllowedError');
    stream.value = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    for (const track of stream.value.getTracks()) track.onended = closeCamera;
  } catch (cause) {
    const { name, message } = cause as Error;
    const isThere = name !== 'NotFoundError';
    cameraTrouble.value = {
      kind: 'error',
      what: isThere ? 'The camera can not be used.' : 'There is no camera.',
      given: `${name}: ${message}`,
      remedy: isThere
        ? 'allow it beside the address, or choose pictures; another program may have it'
        : 'connect one, or choose pictures',
    };
  }
}

export function closeCamera(): void {
  for (const track of stream.value?.getTracks() ?? []) track.stop();
  stream.value = undefined;
}

/** The middle of what a video shows now, as a file. @param wanted pixels of its side that a network takes */
export async function takePicture(video: HTMLVideoElement, name: string, wanted = 0): Promise<File> {
  const length = Math.max(SIDE, wanted);
  const canvas = new OffscreenCanvas(length, length);
  const { videoWidth, videoHeight } = video;
  const side = Math.min(videoWidth, videoHeight);
  canvas
    .getContext('2d')
    ?.drawImage(video, (videoWidth - side) / 2, (videoHeight - side) / 2, side, side, 0, 0, length, length);
  const blob = await canvas.convertToBlob({ type: 'image/png' });
  return new File([blob], name, { type: 'image/png' });
}
