import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import type { z } from 'zod'
import { type ConfigOverrides, parseConfig } from './parse-config.ts'

/** The largest request that a coordinator accepts; a longer file is refused. */
const LARGEST = 2 ** 20

/**
 * Reads and checks a configuration file, YAML or JSON in UTF-8.
 *
 * @param file its path, or `-` for standard input
 * @param what what it holds, such as "run configuration"
 * @param overrides what counts before the file, such as the options of a command
 * @throws FedsvdError CONFIG_INVALID for a file that cannot be read, and ConfigFileError with all of its faults
 */
export function readConfigFile<S extends z.ZodType>(
  file: string,
  schema: S,
  what: string,
  overrides?: ConfigOverrides,
): z.output<S> {
  const name = file === '-' ? 'standard input' : file
  const bytes = file === '-' ? readFileSync(0) : readOrdinary(file, what)
  if (bytes.byteLength > LARGEST) throw unusable(name, what, `more than ${LARGEST} bytes`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw unusable(name, what, 'bytes that are no UTF-8', 'Save it as UTF-8.')
  }
  return parseConfig(text, schema, { file: name, what, ...(overrides && { overrides }) })
}

/** At most one byte more than is allowed: a device has no end. */
function readOrdinary(file: string, what: string): Uint8Array {
  try {
    const descriptor = openSync(file, 'r')
    try {
      if (fstatSync(descriptor).isDirectory()) throw unusable(file, what, 'a folder', 'Name the file itself.')
      const buffer = Buffer.alloc(LARGEST + 1)
      let length = 0
      for (;;) {
        const more = readSync(descriptor, buffer, length, buffer.length - length, null)
        if (more === 0) return buffer.subarray(0, length)
        length += more
        if (length === buffer.length) return buffer
      }
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof FedsvdError) throw error
    const fault = systemFault(error)?.detail
    throw unusable(file, what, fault?.got ?? (error as Error).message, fault?.remedy)
  }
}

function unusable(file: string, what: string, got: string, remedy = 'Name another file.'): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', { expected: `a readable ${what} in ${file}`, got, remedy })
}
