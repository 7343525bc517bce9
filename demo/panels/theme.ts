/** Colours and type as the style sheet has them now, light or dark. */
import { signal } from '@preact/signals';

/** Colours of layers and networks, in order, as the style sheet names them. */
export const SERIES = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5'] as const;

export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly font: string;
  readonly series: readonly string[];
}

function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: value('--ink'),
    muted: value('--muted'),
    line: value('--line'),
    surface: value('--surface'),
    font: style.fontFamily,
    series: SERIES.map(value),
  };
}

export const theme = signal(readTheme());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  theme.value = readTheme();
});

export function colourOf(index: number): string {
  return theme.value.series[index % SERIES.length] ?? theme.value.ink;
}

/** `dense1` of `dense1/kernel`. */
export function layerOf(name: string): string {
  return name.split('/')[0] ?? name;
}
