import { type FileHandle, open } from 'node:fs/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import type { NamedTensor, TensorSpec } from '@fedsvd/core/tensor'
import { sizeOf } from '@fedsvd/core/tensor'
import { FOREIGN_BYTES, requireOrdinary, unreadableFile } from '../../files/index.ts'
import {
  encodeHeader,
  headerLength,
  invalid,
  LENGTH_BYTES,
  parseHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from './header.ts'
import { decodeTensor, isFloat } from './safetensors.ts'

/** One read of the operating system is at most this long. */
const CHUNK_BYTES = 2 ** 30

/** A safetensors file that stays on disk: the header is in memory, tensors are read one at a time. */
export interface SafetensorsFile extends SafetensorsHeader, AsyncDisposable {
  /** The stored bytes of one tensor. */
  bytesOf(entry: SafetensorsEntry): Promise<Uint8Array>
  /** One tensor as float32. @throws FedsvdError CHECKPOINT_INVALID when it holds integers */
  read(entry: SafetensorsEntry): Promise<NamedTensor>
}

/** Opens a safetensors file of any size. @throws FedsvdError CHECKPOINT_INVALID naming the file */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await requireOrdinary(path)
    .then(() => open(path, 'r'))
    .catch((cause: unknown) => {
      throw unreadableFile(path, cause, 'Copy the whole checkpoint.')
    })
  try {
    const { size } = await file.stat()
    const length = headerLength(await readRange(file, 0, Math.min(FOREIGN_BYTES, size)), size)
    const header = parseHeader(await readRange(file, LENGTH_BYTES, length), size)
    const bytesOf = ({ start, bytes }: SafetensorsEntry) => readRange(file, start, bytes)
    return {
      ...header,
      bytesOf,
      read: async (entry) => {
        if (!isFloat(entry)) throw invalid(`${entry.name} as a float tensor`, entry.dtype)
        return decodeTensor(entry, await bytesOf(entry))
      },
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error instanceof FedsvdError ? inFile(path, error) : unreadableFile(path, error, 'Check it.')
  }
}

/** The same refusal with the file's name. */
function inFile(path: string, error: FedsvdError): FedsvdError {
  const { expected, got, remedy } = error.detail
  return new FedsvdError(error.code, { expected: `${expected} in ${path}`, got, remedy }, { cause: error })
}

/**
 * Writes float32 tensors to a file in the order of `specs`, asking for the values of one at a time.
 *
 * @throws FedsvdError CHECKPOINT_INVALID for a tensor of another size than its spec says
 */
export async function writeSafetensors(
  path: string,
  specs: readonly TensorSpec[],
  valuesOf: (spec: TensorSpec) => Promise<Float32Array>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(encodeHeader(specs, metadata))
    for (const spec of specs) {
      const data = await valuesOf(spec)
      if (data.length !== sizeOf(spec.shape))
        throw invalid(`${sizeOf(spec.shape)} values of ${spec.name}`, `${data.length}`)
      await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    }
  } finally {
    await file.close()
  }
}

async function readRange(file: FileHandle, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(CHUNK_BYTES, length - done), start + done)
    if (bytesRead === 0) throw invalid(`${length} bytes at ${start}`, `${done}`)
    done += bytesRead
  }
  return bytes
}
