/** The camera: turned on and off by a visitor, what it sees, and what is wrong with it; and its pictures as data. */
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { cameraTrouble, closeCamera, openCamera, stream, takePicture } from '../state/camera.ts';
import { Details } from './notice.tsx';

/** @param given.video what the camera sees, once it is on; @param given.children shown while it is on */
export function Camera(given: {
  readonly video: RefObject<HTMLVideoElement | null>;
  readonly children?: ComponentChildren;
}) {
  const { video } = given;
  const now = stream.value;
  useEffect(() => {
    if (video.current !== null && now !== undefined) video.current.srcObject = now;
  }, [now]);
  useEffect(() => closeCamera, []);
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
        {now !== undefined && given.children}
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

/** Milliseconds between pictures while the button is held. */
const PAUSE = 200;

/** Pictures of what the camera sees, for the class that is named. @param onTaken told of every picture */
export function Shots({ onTaken }: { readonly onTaken: (file: File) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const taken = useRef(0);
  const held = useRef<ReturnType<typeof setInterval> | undefined>(undefined);
  const release = () => {
    clearInterval(held.current);
    held.current = undefined;
  };
  useEffect(() => release, []);
  const take = async () => {
    if (video.current === null || video.current.videoWidth === 0) return;
    taken.current += 1;
    onTaken(await takePicture(video.current, `camera ${String(taken.current).padStart(4, '0')}.png`));
  };
  return (
    <Camera video={video}>
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
    </Camera>
  );
}

/**
 * Has a network look at what the camera sees, one picture after the other.
 * @param given.side pixels of the side of what it takes; @param given.look done once it has looked
 */
export function Live(given: { readonly side: number; readonly look: (picture: File) => Promise<void> }) {
  const video = useRef<HTMLVideoElement>(null);
  const now = stream.value;
  useEffect(() => {
    let isOver = false;
    const watch = async () => {
      while (!isOver) {
        // No frames come while the tab is hidden.
        await new Promise((resolve) => requestAnimationFrame(resolve));
        if (isOver || video.current === null || video.current.videoWidth === 0) continue;
        await given.look(await takePicture(video.current, 'camera.png', given.side));
      }
    };
    if (now !== undefined) void watch();
    return () => {
      isOver = true;
    };
  }, [now]);
  return <Camera video={video} />;
}
