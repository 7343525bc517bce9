/** What a person can do where WebGPU is missing, said for the browser at hand first. */

export interface Advice {
  readonly browser: string;
  readonly steps: string;
}

const ADVICE = {
  chrome: {
    browser: 'Chrome, Edge, Opera or Brave on Windows, macOS, ChromeOS or Android',
    steps:
      'Update to version 113 or newer (121 on Android), switch on “Use graphics acceleration when available” in the settings, and restart. chrome://gpu says why WebGPU is off.',
  },
  linux: {
    browser: 'Chrome on Linux',
    steps:
      'Start it with --enable-unsafe-webgpu --enable-features=Vulkan and a Vulkan driver of your GPU. Without a GPU add --use-webgpu-adapter=swiftshader: a slow software adapter.',
  },
  firefox: {
    browser: 'Firefox',
    steps:
      'Version 141 or newer on Windows, 145 on macOS with Apple silicon. Elsewhere use Firefox Nightly, or set dom.webgpu.enabled to true in about:config.',
  },
  safari: {
    browser: 'Safari',
    steps:
      'Version 26 or newer (macOS Tahoe, iOS 26). In Safari 18 switch on WebGPU under Settings, Feature Flags.',
  },
} as const satisfies Record<string, Advice>;

/** Advice for every browser, the one of this user agent first. */
export function advice(userAgent: string): readonly Advice[] {
  const { chrome, linux, firefox, safari } = ADVICE;
  if (/firefox|fxios/i.test(userAgent)) return [firefox, chrome, linux, safari];
  if (/chrome|chromium|edg/i.test(userAgent)) {
    return /linux/i.test(userAgent) && !/android/i.test(userAgent)
      ? [linux, chrome, firefox, safari]
      : [chrome, linux, firefox, safari];
  }
  if (/safari/i.test(userAgent)) return [safari, chrome, firefox, linux];
  return [chrome, linux, firefox, safari];
}
