/** Pictures of a page as a data set. What reads them is loaded when there are some. */
import type { PictureSource } from '../pictures.ts';
import type { FilesOptions, PictureData } from './pictures.ts';

/**
 * The data set of pictures that a page holds: files of a folder, as `<input type="file" webkitdirectory>` gives them, or files,
 * images and canvases with their labels. Pixels are those of `imagesFromFolder` where browser and Node decode alike (PNG without
 * alpha).
 * @throws StorageError where there is no picture; FormatError for one that can't be read, and for pictures of several sizes where
 *   no size is given; OptionError for files whose class is not said, and a class with one picture where a part is kept for tests
 * @example const data = await imagesFromFiles(input.files, { size: [32, 32] });
 */
export async function imagesFromFiles(
  files: Iterable<PictureSource> | ArrayLike<PictureSource>,
  options: FilesOptions = {},
): Promise<PictureData> {
  const { dataOfFiles } = await import('./pictures.ts');
  return dataOfFiles(files, options);
}
