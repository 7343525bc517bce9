/** Where this library keeps what it unpacked, downloaded, installed or measured. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder; `WEBGPU_BNN_CACHE` names another. It need not exist yet. */
export function cacheFolder(): string {
  const { WEBGPU_BNN_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (WEBGPU_BNN_CACHE) return WEBGPU_BNN_CACHE;
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'webgpu-bnn', 'cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'webgpu-bnn');
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'webgpu-bnn');
}
