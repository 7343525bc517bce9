/** A small picture as the network sees it. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { greyImage, inkImage } from './pad.ts';

/** @param isInk whether bytes are ink, as in MNIST, and not brightness */
export function Picture(given: {
  readonly image: Uint8Array<ArrayBuffer>;
  readonly label: string;
  readonly isInk: boolean;
}) {
  const { image, label, isInk } = given;
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    canvas.current?.getContext('2d')?.putImageData(isInk ? inkImage(image) : greyImage(image), 0, 0);
  }, [image, isInk]);
  return (
    <canvas class={isInk ? 'ink' : ''} ref={canvas} width="28" height="28" role="img" aria-label={label} />
  );
}
