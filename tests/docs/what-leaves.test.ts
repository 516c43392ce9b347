import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { RUN_LIMITS, WIRE_CODES } from '../../apps/client/src/policy/index.ts'
import { ERROR_CATALOGUE } from '../../packages/core/src/errors.ts'
import {
  challengeRequestSchema,
  clientHandshakeSchema,
  enrolRequestSchema,
  invitationReplySchema,
  ledgerReportPartSchema,
  ledgerReportSchema,
  offerReplySchema,
  ROUND_FAILURES,
  roundFailedSchema,
} from '../../packages/core/src/protocol/index.ts'

const file = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const page = file('docs/reference/what-leaves-a-site.md')
const listed = new Set(
  page
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .flatMap((line) => Array.from(line.split('|')[1]!.matchAll(/`([^`]+)`/g), ([, name]) => name!)),
)

/** Everything that a client may send as JSON, by the name that the page has for it. */
const MESSAGES = {
  enrol: enrolRequestSchema,
  challenge: challengeRequestSchema,
  handshake: clientHandshakeSchema,
  'offer-reply': offerReplySchema,
  'invite-reply': invitationReplySchema,
  'ledger-report': ledgerReportSchema,
  'ledger-report-part': ledgerReportPartSchema,
  'round-failed': roundFailedSchema,
} as const

/** Names of the values of a message, such as `handshake.nonce`. */
function fieldsOf(schema: z.ZodType, path: string): string[] {
  if (schema instanceof z.ZodOptional) return fieldsOf(schema.unwrap() as z.ZodType, path)
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element as z.ZodType, path)
  if (schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option) => fieldsOf(option as z.ZodType, path))
  }
  if (!(schema instanceof z.ZodObject)) return [path]
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) =>
    fieldsOf(field, `${path}.${name}`),
  )
}

describe('the table of what leaves a site', () => {
  it.each(Object.entries(MESSAGES))('has every field of %s, and why it is free', (name, schema) => {
    const fields = fieldsOf(schema, name)
    expect(fields.length).toBeGreaterThan(0)
    for (const field of fields) expect(listed).toContain(field)
  })

  it('has no field that no message has', () => {
    const fields = new Set(Object.entries(MESSAGES).flatMap(([name, schema]) => fieldsOf(schema, name)))
    const named = [...listed].filter((name) => Object.keys(MESSAGES).some((message) => name.startsWith(`${message}.`)))
    expect(named.filter((name) => !fields.has(name))).toEqual([])
  })

  it('knows every message and request of a client', () => {
    const protocol = file('packages/core/src/protocol/messages.ts')
    const [, events = ''] = /export interface ClientToServerEvents \{\n([\s\S]*?)^\}/m.exec(protocol) ?? []
    const names = Array.from(events.matchAll(/^ {2}'?([a-z-]+)'?\(/gm), ([, name]) => name)
    expect(names.length).toBeGreaterThan(1)
    for (const name of names) expect(Object.keys(MESSAGES)).toContain(name)
    const sources = ['network.ts', 'handshakes.ts', 'answers.ts', 'report.ts', 'upload.ts'].map((name) =>
      file(`apps/client/src/transport/${name}`),
    )
    const emitted = Array.from(sources.join('\n').matchAll(/emit(?:WithAck)?\(\s*'([a-z-]+)'/g), ([, name]) => name)
    expect(emitted.toSorted()).toEqual(names.toSorted())
    const routes = Array.from(
      sources.join('\n').matchAll(/endpoint\([\w.#]+,\s*[`'](\/v1\/[a-z]+)/g),
      ([, route]) => route,
    )
    expect(routes.length).toBeGreaterThan(3)
    for (const route of routes) expect(page).toContain(route)
  })

  it('has beside it the limits of a site, as they are in the code', () => {
    const rows = Array.from(
      file('docs/reference/site-policy.md').matchAll(/^\| `(\w+)` \| ([\d.e+-]+) \| ([\d.e+-]+) \|/gm),
    )
    const shown = Object.fromEntries(rows.map(([, name, min, max]) => [name, { min: Number(min), max: Number(max) }]))
    const real = Object.entries(RUN_LIMITS).map(([name, { min, max }]) => [name, { min, max }])
    expect(shown).toEqual(Object.fromEntries(real))
  })

  it('lists every code that a refusal may carry, and the codes exist', () => {
    for (const code of Object.keys(WIRE_CODES)) {
      expect(page).toContain(`| \`${code}\` |`)
      expect(ERROR_CATALOGUE).toHaveProperty(code)
    }
    for (const code of ROUND_FAILURES) expect(WIRE_CODES).toHaveProperty(code)
  })
})
