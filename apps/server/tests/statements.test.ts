import { createPublicKey, verify } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { pld, rdp } from '../../../packages/core/src/accounting/index.ts'
import { type SignedStatement, signedStatementSchema } from '../../../packages/core/src/protocol/index.ts'
import { call, get, temporaryFolder, testCoordinator } from '../../../packages/testing/src/server/index.ts'
import { main } from '../../cli/src/main.ts'
import { statementKey } from '../src/identity/index.ts'

/** Canonical JSON by another way than the code: a replacer that hands out objects with their keys in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, content: unknown) =>
    typeof content === 'object' && content !== null && !Array.isArray(content)
      ? Object.fromEntries(Object.entries(content).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : content,
  )

function isGood({ statement, publicKey, signature }: SignedStatement): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
  const text = `fedsvd-privacy-statement-v1\n${canonical(statement)}`
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'))
}

describe('a privacy statement', () => {
  it('says what was spent with every constant, and is signed with the key that the coordinator serves', async () => {
    await using coordinator = await testCoordinator()
    const { url, operatorToken } = coordinator
    const client = await coordinator.client('Büro Süd')
    await client.connect()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 3 })
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const signed = signedStatementSchema.parse(
      await get(url, `/v1/runs/${runId}/statements/${client.clientId}`, operatorToken),
    )
    const event = { sampleRate: 0.1, noiseMultiplier: 2, steps: 6 }
    expect(signed.statement).toMatchObject({
      run: { runId, method: 'fedsvd', state: 'completed', rounds: 3, roundsDone: 3 },
      client: { clientId: client.clientId, name: 'Büro Süd' },
      guarantee: {
        unit: 'record',
        relation: 'add-or-remove-one',
        sampling: 'poisson',
        epsilonPld: pld.epsilonUpperBound([event], 1e-5 - 3e-12),
        epsilonRdp: rdp.epsilonUpperBound([event], 1e-5 - 3e-12),
        delta: 1e-5,
        deltaOfMissedSlots: expect.closeTo(3e-12, 16),
        budget: { epsilon: 8, delta: 1e-5 },
      },
      events: [{ ...event, mechanism: 'poisson-subsampled-gaussian', clipNorm: 1, rounds: 3 }],
      code: { name: 'fedsvd' },
    })
    expect(isGood(signed)).toBe(true)
    expect(await get(url, '/v1/statement-key')).toEqual({ publicKey: signed.publicKey })
    const { statement } = signed
    const forged = { ...signed, statement: { ...statement, guarantee: { ...statement.guarantee, epsilonPld: 0.1 } } }
    expect(isGood(forged)).toBe(false)
    expect(isGood({ ...signed, publicKey: statementKey('A'.repeat(43)).publicKey })).toBe(false)
  })

  it('is not made for a client that took no part', async () => {
    await using coordinator = await testCoordinator()
    const stranger = await coordinator.client('stranger')
    const { runId } = await coordinator.createRun()
    const route = `GET /v1/runs/${runId}/statements/${stranger.clientId}`
    expect(await call(coordinator.url, route, { bearer: coordinator.operatorToken })).toMatchObject({
      status: 404,
      code: 'CLIENT_NOT_FOUND',
    })
  })

  it('is signed with the same key after a restart, in the same state folder', async () => {
    await using folder = await temporaryFolder()
    const keyOf = async (): Promise<unknown> => {
      await using coordinator = await testCoordinator({ stateDir: folder.path })
      return await get(coordinator.url, '/v1/statement-key')
    }
    const first = await keyOf()
    expect(await keyOf()).toEqual(first)
    await using elsewhere = await testCoordinator()
    expect(await get(elsewhere.url, '/v1/statement-key')).not.toEqual(first)
  })

  it('comes from the key of RFC 8032, section 7.1, test 1, where that is the secret', () => {
    const secret = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
    const known = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'
    expect(Buffer.from(statementKey(secret.toString('base64url')).publicKey, 'base64url').toString('hex')).toBe(known)
    expect(() => statementKey('c2hvcnQ')).toThrow(/CONFIG_INVALID/)
  })
})

describe('fedsvd statement verify', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    process.exitCode = undefined
  })

  it('believes what is signed by the key given and follows from its events, and nothing else', async () => {
    await using coordinator = await testCoordinator()
    await using folder = await temporaryFolder()
    const client = await coordinator.client('site')
    await client.connect()
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const route = `/v1/runs/${runId}/statements/${client.clientId}`
    const signed = await get<SignedStatement>(coordinator.url, route, coordinator.operatorToken)
    const own = statementKey('A'.repeat(43))
    const { statement, publicKey } = signed
    const cheaper = { ...statement, guarantee: { ...statement.guarantee, epsilonPld: 0.1 } }
    const verdictOn = async (document: unknown, key = publicKey): Promise<string> => {
      const file = path.join(folder.path, 'statement.json')
      await writeFile(file, JSON.stringify(document))
      const written: string[] = []
      const keep = (text: unknown): boolean => written.push(String(text)) > 0
      vi.spyOn(process.stdout, 'write').mockImplementation(keep)
      vi.spyOn(process.stderr, 'write').mockImplementation(keep)
      process.exitCode = 0
      await main(['node', 'fedsvd', 'statement', 'verify', file, '--public-key', key, '--json'])
      return `${process.exitCode} ${written.join('')}`
    }
    expect(await verdictOn(signed)).toMatch(/^0 {"valid":true/)
    expect(await verdictOn({ ...signed, statement: cheaper })).toMatch(/^1 .*SIGNATURE_INVALID/)
    expect(await verdictOn(signed, own.publicKey)).toMatch(/^1 .*SIGNATURE_INVALID/)
    expect(await verdictOn(own.sign(statement))).toMatch(/^1 .*SIGNATURE_INVALID/)
    expect(await verdictOn(own.sign(cheaper), own.publicKey)).toMatch(/^1 .*LEDGER_MISMATCH/)
    expect(await verdictOn({ statement })).toMatch(/^7 .*MESSAGE_INVALID/)
    const { deltaOfMissedSlots, ...earlier } = statement.guarantee
    const [{ sampleRate, noiseMultiplier, steps }] = statement.events as [SignedStatement['statement']['events'][0]]
    const bare = [{ sampleRate, noiseMultiplier, steps }]
    const figures = { epsilonPld: pld.epsilonUpperBound(bare, 1e-5), epsilonRdp: rdp.epsilonUpperBound(bare, 1e-5) }
    const before = { ...statement, guarantee: { ...earlier, ...figures } }
    expect(await verdictOn(own.sign(before), own.publicKey)).toMatch(/^0 {"valid":true/)
    const lavish = { ...statement, guarantee: { ...statement.guarantee, deltaOfMissedSlots: 9e-6 } }
    expect(deltaOfMissedSlots).toBeGreaterThan(0)
    expect(await verdictOn(own.sign(lavish), own.publicKey)).toMatch(/^1 .*LEDGER_MISMATCH/)
  })
})
