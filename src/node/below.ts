/** Files by their place below a folder: how several machines name what each of them has. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { DataUnavailableError, OptionError } from '../errors.ts';
import { npx } from '../npx.ts';

/**
 * How a path is named to other machines: from `root` on, with slashes.
 * @throws OptionError for a path that isn't below it
 */
export function nameBelow(root: string, path: string): string {
  const name = relative(resolve(root), resolve(path));
  if (name !== '' && name.split(sep)[0] !== '..' && !isAbsolute(name)) return name.split(sep).join('/');
  throw new OptionError(
    'Other machines know files by their place below a folder, and this one is not below it.',
    {
      given: path,
      expected: `a file below ${root}`,
      where: '--data',
      remedy:
        'name a folder that it is below: --data FOLDER; workers have a --data of their own with the same files',
    },
  );
}

/**
 * Where a file lies here that another machine named.
 * @param root the folder that it is looked for below; undefined where this machine was given none
 * @throws OptionError for a name that leads out of `root`; DataUnavailableError, with the command that helps, where it isn't there
 */
export function pathBelow(root: string | undefined, name: string): string {
  const parts = name.split('/');
  if (!parts.every((part) => /^[^\\:\0]+$/.test(part) && part !== '.' && part !== '..')) {
    throw new OptionError('A job names a file that is not below the folder of data.', {
      given: name,
      expected: 'names between slashes, none of them .. or absolute',
      where: '--data',
    });
  }
  const path = root === undefined ? undefined : join(root, ...parts);
  if (path !== undefined && existsSync(path)) return path;
  throw new DataUnavailableError('A job is about files that this worker does not have.', {
    given: root === undefined ? 'no --data' : `--data ${root}`,
    expected: name,
    where: 'worker',
    remedy: `copy them here, and name the folder that they are below: ${npx('worker --nats ... --data FOLDER')}`,
  });
}
