import type { Answer } from '@fedsvd/engine/inference'

/** As much of a text as one line shows. */
const SHOWN = 60

/** An answer on one line, for people. */
export function lineOf(answer: Answer, text: string): string {
  if ('label' in answer) return `${answer.label}  ${answer.score.toFixed(4)}  ${beginning(text)}`
  if ('words' in answer) return answer.words.map(({ word, tag = '-' }) => `${word}/${tag}`).join(' ')
  return `${text}${answer.text}`
}

function beginning(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > SHOWN ? `${line.slice(0, SHOWN - 1)}…` : line
}
