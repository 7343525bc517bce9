/** Files by their place below a folder: how several machines name what each of them has. */
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { OptionError } from '../errors.ts';

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

/** Where a file lies that another machine named. @throws OptionError for a name that leads out of `root` */
export function pathBelow(root: string, name: string): string {
  const parts = name.split('/');
  if (parts.every((part) => /^[^\\:\0]+$/.test(part) && part !== '.' && part !== '..'))
    return join(root, ...parts);
  throw new OptionError('A job names a file that is not below the folder of data.', {
    given: name,
    expected: 'names between slashes, none of them .. or absolute',
    where: '--data',
  });
}
