import { readFileSync } from 'node:fs'
import type { AccountedEvent } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { LIMITS, numberIn, privacyEventSchema, wholeIn } from '@fedsvd/core/protocol'
import { atFile } from '@fedsvd/engine/files'
import { z } from 'zod'
import { parseInput } from './parse-input.ts'

/** Privacy events as a person writes them: what `fedsvd account` reads. */
export const eventsRequestSchema = z.strictObject({
  events: z
    .array(
      privacyEventSchema
        .pick({ sampleRate: true, noiseMultiplier: true })
        .extend({ steps: wholeIn(LIMITS.stepsInAll) }),
    )
    .max(1_000_000),
  delta: numberIn(LIMITS.delta),
})

/**
 * The events of a file, in their order.
 *
 * @throws FedsvdError DATA_UNREADABLE or MESSAGE_INVALID, or the error of the system for a file that cannot be read
 */
export async function readEvents(file: string): Promise<readonly AccountedEvent[]> {
  let content: unknown
  const text = atFile(file, () => readFileSync(file, 'utf8'))
  try {
    content = JSON.parse(text)
  } catch (cause) {
    const [expected, got] = [`privacy events as JSON in ${file}`, (cause as Error).message]
    throw new FedsvdError('DATA_UNREADABLE', { expected, got, remedy: 'See fedsvd account --help.' }, { cause })
  }
  const schema = eventsRequestSchema.partial({ delta: true })
  return parseInput(schema, content, `the events in ${file}`, 'See the example in fedsvd account --help.').events
}
