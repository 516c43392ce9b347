import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import * as protocol from '@fedsvd/core/protocol'
import fc from 'fast-check'
import { z } from 'zod'

const runId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const sha256 = 'ab'.repeat(32)
const error = { code: 'UNEXPECTED', expected: 'a', got: 'b', remedy: 'c' }
const budget = { epsilon: 6, delta: 1e-5 }
const terms = { declaredRecords: 100, sampleRate: 0.1, noiseMultiplier: 2, budget }
const event = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 2,
  steps: 3,
  clipNorm: 1,
  relation: 'add-or-remove-one',
  unit: 'record',
}
const manifest = {
  runId,
  name: 'run',
  method: 'fedsvd',
  aggregation: { name: 'krum', byzantine: 1 },
  model: { name: 'tiny', maxTokens: 16, featureScale: 2 },
  labels: ['ham', 'spam'],
  adapter: {
    rank: 2,
    alpha: 2,
    layers: [{ name: 'layer', dIn: 6, dOut: 5 }],
    head: [{ name: 'classifier.weight', shape: [2, 4] }],
    headMode: 'trained',
  },
  rounds: 3,
  localSteps: 2,
  expectedLotSize: 10,
  clipNorm: 1,
  learningRate: 0.5,
  momentum: 0,
  target: budget,
  clientsPerRound: 3,
  quorum: 3,
  deadlineSeconds: 30,
  seed: 'public',
}

const { runId: _, ...request } = manifest

/** Messages that fit, to start from. */
export const GOOD_MESSAGES: Readonly<Record<string, unknown>> = {
  enrolRequestSchema: { protocolVersion: 1, token: 'token', name: 'site', publicKey: 'A'.repeat(43) },
  challengeRequestSchema: { clientId: runId },
  clientHandshakeSchema: { protocolVersion: 1, clientId: runId, nonce: 'AA', signature: 'AA' },
  offerReplySchema: { accepted: true, terms },
  invitationReplySchema: { accepted: false, error },
  ledgerReportSchema: { runId, since: 0, reservations: [{ round: 0, attempt: 1, event }] },
  ledgerReportPartSchema: { id: runId, index: 0, of: 2, text: '{' },
  ledgerPartReplySchema: { received: true },
  ledgerReplySchema: { agrees: false, error },
  runRequestSchema: { ...request, adapter: { rank: 2, alpha: 2, headMode: 'trained', targets: ['query'] } },
  offerSchema: { manifest },
  invitationSchema: {
    runId,
    round: 0,
    basis: 0,
    state: { sha256, bytes: 100 },
    uploadToken: 'AA',
    deadline: '2026-01-01T00:00:00Z',
  },
  roundClosedSchema: { runId, round: 1 },
  runEndedSchema: { runId, state: 'failed', reason: 'none' },
  sessionSchema: { sessionToken: 'AA' },
  operatorRequestSchema: { name: 'ada', role: 'admin', secret: 'a secret of enough letters' },
  signInRequestSchema: { name: 'ada', secret: 'secret', as: 'token' },
}

/** Every schema of the protocol, by the name that it is exported under. */
export const SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map(
  Object.entries(protocol as Record<string, unknown>).filter(
    (entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType,
  ),
)

const NAMES = ['length', 'toString', 'valueOf', 'constructor', '__proto__', 'toJSON', 'then', 'size', 'message', 'path']

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    0,
    -0,
    -1,
    1e308,
    -1e308,
    2 ** 53,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ),
  fc.constantFrom<unknown>('', ' ', '\0', '../../etc/passwd', 'x'.repeat(5000), '\ud800', runId, '__proto__', '1e999'),
  fc.constantFrom<unknown>(
    [],
    {},
    [[]],
    new Uint8Array(3),
    new Date(Number.NaN),
    new Map(),
    Array.from({ length: 300 }),
  ),
  fc.double(),
  fc.string(),
)

/** Objects whose own fields stand in the place of what every object has. */
const hostileObject = objectOf(fc.oneof(leaf, objectOf(leaf)))

function objectOf(value: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  return fc.array(fc.tuple(fc.constantFrom(...NAMES), value), { maxLength: 4 }).map((entries) => withOwn({}, entries))
}

/** A value that no peer should send. */
export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: leaf },
  { weight: 3, arbitrary: hostileObject },
  {
    weight: 1,
    arbitrary: fc.anything({ maxDepth: 4, withBigInt: true, withNullPrototype: true, withSparseArray: true }),
  },
  { weight: 1, arbitrary: fc.nat(2000).map((depth) => nested(depth)) },
)

/** A good message with one or more of its parts replaced, or something else altogether. */
export function hostileMessage(good: unknown): fc.Arbitrary<unknown> {
  if (good === undefined) return hostileValue
  const paths = pathsOf(good)
  const change = fc.tuple(
    fc.constantFrom(...paths),
    fc.oneof({ weight: 9, arbitrary: hostileValue }, { weight: 1, arbitrary: fc.constant<unknown>(REMOVED) }),
  )
  const changed = fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce<unknown>((message, [path, value]) => replaced(message, path, value), good))
  return fc.oneof({ weight: 6, arbitrary: changed }, { weight: 1, arbitrary: hostileValue })
}

/** `fits` or `refused`. Throws for anything else that happens. */
export function fateOfMessage(schema: z.ZodType, message: unknown): 'fits' | 'refused' {
  try {
    protocol.parseMessage(schema, message, 'a message')
    return 'fits'
  } catch (fault) {
    if (!isFedsvdError(fault, 'MESSAGE_INVALID')) throw fault
    if (fault.message.length > 700) throw new Error(`a refusal of ${fault.message.length} characters`, { cause: fault })
    return 'refused'
  }
}

/** What a peer says went wrong becomes a catalogue error of bounded length, whatever it is. */
export function fateOfError(value: unknown): FedsvdError {
  const rebuilt = FedsvdError.fromJSON(value)
  if (rebuilt.message.length > 7000) throw new Error(`an error of ${rebuilt.message.length} characters`)
  return rebuilt
}

const REMOVED = Symbol('removed')

function withOwn(target: object, entries: readonly (readonly [string, unknown])[]): object {
  for (const [name, value] of entries) {
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true })
  }
  return target
}

function nested(depth: number): unknown {
  let value: unknown = 0
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { adapter: value }
  return value
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, [...path, name]))]
}

function replaced(message: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value === REMOVED ? undefined : value
  if (typeof message !== 'object' || message === null) return message
  const copy: Record<string, unknown> = Array.isArray(message)
    ? (message.slice() as unknown as Record<string, unknown>)
    : { ...message }
  if (rest.length === 0 && value === REMOVED) delete copy[name]
  else copy[name] = replaced(copy[name], rest, value)
  return copy
}
