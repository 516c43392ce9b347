import { randomInt } from 'node:crypto'

/** Many times what an answer is late by where cores sleep, or compute. */
const MOST_MS = 25

/**
 * So long more an answer waits that leaves at a time of its own, in milliseconds: as likely one as the other up to 25.
 * How soon a thread is woken follows a little from what the machine does; a coordinator has to ask thousands of times
 * to see that behind these.
 */
export function answerJitterMs(): number {
  return randomInt(MOST_MS * 1000) / 1000
}
