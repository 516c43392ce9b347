import { FedsvdError } from '@fedsvd/core/errors'
import { type OnBadText, refuseBadText } from './bad-text.ts'
import { foreignData } from './foreign-data.ts'
import { otherEncoding, type Place, placeText, unreadable, withReason } from './place.ts'
import { checkedUtf8, lineFeeds } from './utf8.ts'

/** So many of the first bytes tell an encoding. */
const SAMPLE_BYTES = 4096
const REPLACEMENT = Buffer.from('\ufffd')
const NUL = Buffer.of(0)
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf)

/**
 * The text of a file as UTF-8 bytes, without a byte order mark.
 *
 * @param encoding a WHATWG label such as `windows-1252` or `utf-16le`; default UTF-8, which is held against every byte
 * @param onFault told of bytes of another encoding and of NUL bytes; what it gives stands in their place. Default: the
 *   first of them ends the stream
 * @throws FedsvdError DATA_UNREADABLE for bytes of another encoding, which it names where it can, with line and byte;
 *   CONFIG_INVALID for a label that names no encoding
 */
export async function* textBytes(
  bytes: AsyncIterable<Buffer>,
  file: string,
  encoding = 'utf-8',
  onFault: OnBadText = refuseBadText,
): AsyncGenerator<Buffer> {
  const label = decoderFor(encoding).encoding
  const plain = withoutContainer(bytes, file)
  const text =
    label === 'utf-8'
      ? checkedUtf8(withoutMark(recognised(plain, file)), file, onFault)
      : decoded(plain, file, label, onFault)
  const nulAt = (line: number) => unreadable({ file, line }, 'text without NUL bytes', 'one')
  yield* withoutBytes(text, NUL, (line) => onFault(nulAt(line)))
}

/** The chunks with what `inPlace` gives for each of these bytes on its line. */
async function* withoutBytes(
  chunks: AsyncIterable<Buffer>,
  bytes: Buffer,
  inPlace: (line: number) => string,
): AsyncGenerator<Buffer> {
  let line = 1
  for await (const chunk of chunks) {
    let start = 0
    for (let at = chunk.indexOf(bytes); at >= 0; at = chunk.indexOf(bytes, start)) {
      line += lineFeeds(chunk.subarray(start, at))
      if (at > start) yield chunk.subarray(start, at)
      yield Buffer.from(inPlace(line))
      start = at + bytes.length
    }
    line += lineFeeds(chunk.subarray(start))
    if (start < chunk.length) yield chunk.subarray(start)
  }
}

/** @throws FedsvdError CONFIG_INVALID for a label that names no encoding */
export function decoderFor(encoding: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(encoding, { fatal: true })
  } catch (cause) {
    throw new FedsvdError(
      'CONFIG_INVALID',
      {
        expected: 'the name of a text encoding',
        got: encoding,
        remedy: 'Name one such as utf-8, windows-1252, iso-8859-15, utf-16le or shift_jis.',
      },
      { cause },
    )
  }
}

/** What the encoding of a text is, judged by its first bytes, where it is certainly not UTF-8; undefined otherwise. */
export function foreignEncoding(first: Buffer): string | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return 'utf-16le'
  if (first[0] === 0xfe && first[1] === 0xff) return 'utf-16be'
  const sample = first.subarray(0, SAMPLE_BYTES)
  if (sample.length < 4 || !sample.includes(0)) return undefined
  const zeros = [0, 0]
  for (const [at, byte] of sample.entries()) if (byte === 0) zeros[at % 2]! += 1
  const half = sample.length / 2
  if (zeros[1]! > 0.4 * half && zeros[0]! < 0.1 * half) return 'utf-16le'
  return zeros[0]! > 0.4 * half && zeros[1]! < 0.1 * half ? 'utf-16be' : undefined
}

/** @throws FedsvdError DATA_UNREADABLE for a document of another program under the name of a text file */
async function* withoutContainer(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of bytes) {
    const found = isFirst ? foreignData(chunk) : undefined
    if (found !== undefined) {
      throw unreadable({ file }, 'a text file', found.got, undefined, found.remedy)
    }
    isFirst &&= chunk.length === 0
    yield chunk
  }
}

async function* recognised(bytes: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of bytes) {
    const foreign = isFirst ? foreignEncoding(chunk) : undefined
    if (foreign !== undefined) throw otherEncoding({ file, line: 1 }, `text in ${foreign.toUpperCase()}`, foreign)
    isFirst &&= chunk.length === 0
    yield chunk
  }
}

async function* withoutMark(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of bytes) {
    if (head === undefined) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < BYTE_ORDER_MARK.length) continue
    yield head.indexOf(BYTE_ORDER_MARK) === 0 ? head.subarray(BYTE_ORDER_MARK.length) : head
    head = undefined
  }
  if (head !== undefined && head.length > 0) yield head
}

async function* decoded(
  bytes: AsyncIterable<Buffer>,
  file: string,
  encoding: string,
  onFault: OnBadText,
): AsyncGenerator<Buffer> {
  if (onFault === refuseBadText) yield* decodedWith(decoderFor(encoding), bytes, file, encoding)
  else {
    const replaced = decodedWith(new TextDecoder(encoding), bytes, file, encoding)
    yield* withoutBytes(replaced, REPLACEMENT, (line) => onFault(otherBytes(encoding, { file, line })))
  }
}

async function* decodedWith(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: AsyncIterable<Buffer>,
  file: string,
  encoding: string,
): AsyncGenerator<Buffer> {
  let line = 1
  const decode = (chunk?: Buffer): Buffer => {
    try {
      return Buffer.from(chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true }))
    } catch (cause) {
      throw otherBytes(encoding, { file, line }, cause)
    }
  }
  for await (const chunk of bytes) {
    const text = decode(chunk)
    line += lineFeeds(text)
    if (text.length > 0) yield text
  }
  const rest = decode()
  if (rest.length > 0) yield rest
}

function otherBytes(encoding: string, place: Place, cause?: unknown): FedsvdError {
  const expected = `text in ${encoding} at ${placeText(place)} or soon behind it`
  const detail = { expected, got: 'bytes that it does not have', remedy: 'Name the right encoding with --encoding.' }
  return withReason(new FedsvdError('DATA_UNREADABLE', detail, { cause }), `text in ${encoding}`)
}
