import { compile } from 'html-to-text'
import type { Mail } from './read-mail.ts'

/** Characters kept of one body: four times what the longest model here can read. */
export const LONGEST_BODY = 8192

const toText = compile({
  wordwrap: false,
  limits: { maxInputLength: 1 << 20 },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, options: { uppercase: false } })),
  ],
})

/** Mail whose plain-text part is in truth a page. */
const OPENS_LIKE_HTML = /^\s*<(?:!doctype|html|head|body|meta|title|style|table|center|div|font|p|br|b|h\d|a\s|img\s)/i

/**
 * Windows-1252 bytes 0x80 to 0x9f. Mail often calls itself Latin-1 when it holds them, and Node before version 23
 * decodes them as control characters even under their right name, so the text would depend on the version.
 */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'
const C1_CONTROLS = /[\u0080-\u009f]/g

/**
 * What a reader sees of a mail, without its headers: the plain-text part, else the HTML part as text, with transfer
 * encodings and character sets decoded; pictures, link targets and attachments are left out. Empty if there is neither.
 */
export function plainBody({ text = '', html = '' }: Pick<Mail, 'text' | 'html'>): string {
  const page = text.trim() === '' ? html : OPENS_LIKE_HTML.test(text) ? text : ''
  const plain = (page ? toText(page) : text).replace(/\r\n?/g, '\n')
  return endedAt(
    plain.replace(C1_CONTROLS, (control) => WINDOWS_1252[control.charCodeAt(0) - 0x80]!).trim(),
    LONGEST_BODY,
  )
}

/** The first `limit` UTF-16 units, or one less where that would part a surrogate pair. */
function endedAt(text: string, limit: number): string {
  if (text.length <= limit) return text
  const last = text.charCodeAt(limit - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? limit - 1 : limit)
}
