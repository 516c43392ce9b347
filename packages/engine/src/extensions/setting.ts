import { resolve } from 'node:path'
import { z } from 'zod'

const MOST_EXTENSIONS = 100
const path = z.string().min(1).max(4096)

/** The setting `extension`: files of extensions; in the environment with commas between them. */
export const extensionSetting = z
  .union([path.transform((text) => text.split(',').map((file) => file.trim())), z.array(path)])
  .pipe(z.array(path).max(MOST_EXTENSIONS))
  .transform((files) => files.map((file) => resolve(file)))
