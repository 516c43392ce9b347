import type { IncomingMessage } from 'node:http'
import { FedsvdError } from '@fedsvd/core/errors'

/** The refusal of a body that is longer than any may be. */
export class TooLarge extends FedsvdError {
  constructor(most: number) {
    super('MESSAGE_INVALID', {
      expected: `a body of at most ${most} bytes`,
      got: 'a longer one',
      remedy: 'Send fewer or shorter texts.',
    })
  }
}

/**
 * The JSON of a request. Any other kind of content is refused: a page of a browser may send such without asking.
 *
 * @throws FedsvdError MESSAGE_INVALID; TooLarge, as soon as there is more than may come
 */
export async function readBody(request: IncomingMessage, most: number): Promise<unknown> {
  const kind = request.headers['content-type'] ?? ''
  if (!/^application\/json(;|$)/i.test(kind.trim())) {
    throw refused('content-type application/json', JSON.stringify(kind.slice(0, 100)))
  }
  if (Number(request.headers['content-length'] ?? 0) > most) throw new TooLarge(most)
  const parts: Buffer[] = []
  let length = 0
  // what is left of a body that is refused goes with the connection, behind the answer
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += part.length
    if (length > most) throw new TooLarge(most)
    parts.push(part)
  }
  const text = decoded(Buffer.concat(parts))
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw refused('a body of JSON', 'one that is no JSON')
  }
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refused('a body in UTF-8', 'other bytes')
  }
}

function refused(expected: string, got: string): FedsvdError {
  return new FedsvdError('MESSAGE_INVALID', { expected, got, remedy: 'See docs/how-to/use-the-model.md.' })
}
