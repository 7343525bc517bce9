/** The canvas of a pad, with the mark that shows where the keyboard's pen is. */
import { useEffect, useRef } from 'preact/hooks';

/** @param given.onMade told of the canvas once it is there; @param given.onEnter told of that key */
export function Surface(given: {
  readonly id: string;
  readonly onMade: (canvas: HTMLCanvasElement) => void;
  readonly onEnter?: () => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current !== null) given.onMade(canvas.current);
  }, []);
  return (
    <div class="surface">
      <canvas
        id={given.id}
        ref={canvas}
        width="280"
        height="280"
        tabIndex={0}
        onKeyDown={({ key }) => {
          if (key === 'Enter') given.onEnter?.();
        }}
        role="img"
        aria-label="Drawing area. Draw with a pointer, or move the pen with the arrow keys and hold Shift to draw."
      />
      <span class="cursor" />
    </div>
  );
}
