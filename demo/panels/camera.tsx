/** The camera as data: pictures of what it sees, for the class that is named. */
import { useEffect, useRef } from 'preact/hooks';
import { cameraTrouble, closeCamera, openCamera, stream, takePicture } from '../state/camera.ts';
import { Details } from './notice.tsx';

/** Milliseconds between pictures while the button is held. */
const PAUSE = 200;

/** @param onTaken told of every picture */
export function Camera({ onTaken }: { readonly onTaken: (file: File) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const taken = useRef(0);
  const held = useRef<ReturnType<typeof setInterval> | undefined>(undefined);
  const now = stream.value;
  useEffect(() => {
    if (video.current !== null && now !== undefined) video.current.srcObject = now;
  }, [now]);
  const release = () => {
    clearInterval(held.current);
    held.current = undefined;
  };
  useEffect(
    () => () => {
      release();
      closeCamera();
    },
    [],
  );
  const take = async () => {
    if (video.current === null || video.current.videoWidth === 0) return;
    taken.current += 1;
    onTaken(await takePicture(video.current, `camera ${String(taken.current).padStart(4, '0')}.png`));
  };
  const wrong = cameraTrouble.value;
  return (
    <div class="camera">
      <p class="actions">
        <button
          type="button"
          id="camera"
          onClick={() => (now === undefined ? void openCamera() : closeCamera())}
        >
          {now === undefined ? 'Use the camera' : 'Camera off'}
        </button>
        {now !== undefined && (
          <button
            type="button"
            id="take"
            onClick={() => void take()}
            onPointerDown={() => {
              held.current ??= setInterval(() => void take(), PAUSE);
            }}
            onPointerUp={release}
            onPointerLeave={release}
            onPointerCancel={release}
          >
            Take a picture (hold for more)
          </button>
        )}
      </p>
      {now !== undefined && (
        <video ref={video} muted playsInline autoPlay aria-label="What the camera sees" />
      )}
      {wrong !== undefined && (
        <div class="notice" id="camera-trouble" role="alert">
          <h3>{wrong.what}</h3>
          <Details wrong={wrong} />
        </div>
      )}
    </div>
  );
}
