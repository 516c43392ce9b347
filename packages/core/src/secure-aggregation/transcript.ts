import { z } from 'zod'

/** Stands before everything that is hashed, signed or derived here; another version of the protocol has another. */
export const PROTOCOL_NAME = 'fedsvd-secure-aggregation-v1'

/**
 * The unambiguous bytes of a statement: the protocol, what the statement is about, and its parts, each behind its
 * length in four bytes (big-endian). Two statements have the same bytes only if they are about the same and have the
 * same parts, so what is signed, sealed or derived for one purpose is worth nothing for another.
 *
 * Texts are ASCII; numbers are written in decimal.
 */
export function transcript(about: string, ...parts: readonly (Uint8Array | string | number)[]): Uint8Array {
  const pieces = [PROTOCOL_NAME, about, ...parts].map((part) => (typeof part === 'number' ? String(part) : part))
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + 4 + length, 0))
  const view = new DataView(bytes.buffer)
  let offset = 0
  for (const piece of pieces) {
    view.setUint32(offset, piece.length)
    offset += 4
    if (typeof piece === 'string') for (let i = 0; i < piece.length; i++) bytes[offset + i] = piece.charCodeAt(i)
    else bytes.set(piece, offset)
    offset += piece.length
  }
  return bytes
}

/** Bytes as base64url without padding, as they stand in messages and states. */
export function textOf(bytes: Uint8Array): string {
  return z.util.uint8ArrayToBase64url(bytes)
}

/** The bytes of {@link textOf}. The text has been parsed with {@link bytesText}. */
export function bytesOf(text: string): Uint8Array {
  return z.util.base64urlToUint8Array(text)
}

/** A text that {@link textOf} makes of so many bytes, and no other spelling of them. */
export function bytesText(length: number): z.ZodType<string> {
  const characters = Math.ceil((length * 4) / 3)
  return z
    .string()
    .length(characters)
    .regex(/^[A-Za-z0-9_-]+$/)
    .refine((text) => textOf(bytesOf(text)) === text, { error: 'not the one spelling of its bytes' })
}
