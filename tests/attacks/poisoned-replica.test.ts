import { describe, expect, it } from 'vitest'
import { persistently, postgresAnswers, testCluster, until } from '../../packages/testing/src/server/index.ts'

/*
 * What one coordinator has taken in, another one reads from the database they share. Whatever the numbers of a fact
 * are, those that no release of today would adopt included, the other one runs, answers, and owns the runs of
 * everybody else.
 */

const TIMEOUT = { timeout: 300_000 }
/** Numbers of one fact: its rate, its noise and its steps. */
const POISONS: readonly [string, string, string][] = [
  ['0.1', '0.01', '2147483647'], // the ends of the ranges
  ['1', '1000000', '2147483647'],
  ['1e-10', '0.05', '100000000'], // the slowest that PLD is asked for
  ['1', '1e-300', '1'], // beyond them
  ['1e-300', '1e300', '1'],
  ['0.5', '0.3', '99999999'],
]

describe.skipIf(!(await postgresAnswers()))('facts that another coordinator has taken in', () => {
  it('neither stop nor stall this one, nor the runs that it owns', TIMEOUT, async () => {
    await using cluster = await testCluster({ gatherSeconds: 0.2 })
    const one = await cluster.start()
    const waits = async (): Promise<void> => {}
    const [hostile, ...honest] = await cluster.clients(one, 3, (client, invitation) =>
      client.clientId === hostile?.clientId ? waits() : persistently(client, invitation),
    )
    const poisoned = await cluster.createRun(one, { clientsPerRound: 1, quorum: 1, rounds: 50, deadlineSeconds: 3600 })
    await hostile!.connect()
    await until('the invitation', () => hostile!.invitations.length > 0)
    const values = POISONS.flatMap(([rate, noise, steps], index) =>
      [0, 1].map(
        (copy) =>
          `('${poisoned.runId}', 0, '${hostile!.clientId}', ${2 + 2 * index + copy}, 'm', ${rate}, ${noise}, ${steps}, 1, ` +
          `'add-or-remove-one', 'record', 'client', false, now())`,
      ),
    )
    await cluster.query(
      `INSERT INTO "PrivacyEvent" ("runId", "round", "clientId", "attempt", "mechanism", "sampleRate", "noiseMultiplier",
        "steps", "clipNorm", "relation", "unit", "source", "voided", "recordedAt") VALUES ${values.join(', ')}`,
    )
    const two = await cluster.start()
    const started = performance.now()
    expect(await cluster.snapshot(two, poisoned.runId)).toMatchObject({ clients: [{ exhausted: true }] })
    const { runId } = await cluster.createRun(two, { clientsPerRound: 2, quorum: 2, rounds: 2 })
    for (const client of [...honest, hostile!]) {
      client.moveTo(two.url)
      await client.connect()
    }
    await cluster.seen(two, runId, 'the end of the other run', ({ state }) => state === 'completed')
    const answered = await fetch(`${two.url}/v1/runs`, {
      headers: { authorization: `Bearer ${cluster.operatorToken}` },
    })
    expect(answered.status).toBe(200)
    expect(performance.now() - started).toBeLessThan(120_000)
    expect(await cluster.query('SELECT 1 FROM "Coordinator" WHERE "expiresAt" > now()')).toHaveLength(2) // both live
  })
})
