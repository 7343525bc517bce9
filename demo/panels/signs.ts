/** Pictures of signs side by side: +1 in the colour of the text, −1 in that of the page. */
export interface SignPictures {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  /** [count, height, width]: −1 or +1 times the age of the sign. */
  readonly signs: Int16Array;
}

export interface SignColours {
  readonly ink: string;
  readonly surface: string;
  /** Of signs that flipped of late. */
  readonly fresh: string;
}

/** Steps after which a flip is not coloured any more. */
export const FRESH = 60;
const COLUMNS = 16;

export function paintSigns(
  canvas: HTMLCanvasElement,
  { count, width, height, signs }: SignPictures,
  colours: SignColours,
): void {
  const columns = Math.min(COLUMNS, count);
  const rows = Math.ceil(count / columns);
  canvas.width = columns * (width + 1) - 1;
  canvas.height = rows * (height + 1) - 1;
  const context = canvas.getContext('2d');
  if (context === null) return;
  const [ink, surface, fresh] = [
    rgb(context, colours.ink),
    rgb(context, colours.surface),
    rgb(context, colours.fresh),
  ];
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let filter = 0; filter < count; filter++) {
    const left = (filter % columns) * (width + 1);
    const top = Math.floor(filter / columns) * (height + 1);
    for (let at = 0; at < width * height; at++) {
      const sign = signs[filter * width * height + at] ?? 0;
      const base = sign > 0 ? ink : surface;
      const share = Math.max(0, 1 - (Math.abs(sign) - 1) / FRESH);
      const place = 4 * ((top + Math.floor(at / width)) * canvas.width + left + (at % width));
      for (let channel = 0; channel < 3; channel++) {
        const own = base[channel] ?? 0;
        picture.data[place + channel] = own + share * ((fresh[channel] ?? 0) - own);
      }
      picture.data[place + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
}

/** Channels of a colour as a style sheet says it, which a canvas says as `#rrggbb`. */
function rgb(context: CanvasRenderingContext2D, colour: string): number[] {
  context.fillStyle = colour;
  const number = Number.parseInt(String(context.fillStyle).slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
