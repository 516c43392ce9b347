import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bundleProgram, type Ending, startProcess } from '@fedsvd/testing/client/process-of-a-site'
import { BUDGET, FINGERPRINT, perStep, RUN_A } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SITE_BUDGET } from './entry.ts'
import { ledgerPath, openLedger } from './ledger.ts'
import { replay } from './replay.ts'
import { spentEvents } from './state.ts'
import { verifyLedgerBytes } from './verify.ts'

/*
 * Real processes are killed with SIGKILL at every file operation between reservation and acknowledgement, and at random
 * moments. A witness outside them notes each step for which noise was drawn and each frame that left.
 *
 * FEDSVD_KILLS sets how many processes die (8 by default; `npm run test:faults` makes it 600).
 */
/** A sweep of hundreds may share its machine. */
const SWEEP_TIMEOUT_MS = 7_200_000
const KILLS = Number(process.env.FEDSVD_KILLS ?? 8)
/** A first start makes 41 file operations for one round; a later one makes fewer, so its next rounds are hit too. */
const OPERATIONS = 41
const ROUNDS_EACH = 2
/** All operations in turn, and also a few of them are spread over a whole life: 7 and 41 have no common divisor. */
const operationOf = (start: number): number => 1 + ((7 * start) % OPERATIONS)

let script = ''
beforeAll(async () => {
  script = await bundleProgram('crashing-site', `crashing-site-${process.pid}`)
})
afterAll(() => rmSync(script, { force: true }))

/** One data set and one coordinator, over many processes. */
class Life {
  readonly stateDir: string
  readonly coordinator: string

  readonly env: Readonly<Record<string, string>>

  constructor(folder: string, env: Readonly<Record<string, string>> = {}) {
    this.env = env
    this.stateDir = join(folder, 'state')
    this.coordinator = join(folder, 'coordinator')
    mkdirSync(this.coordinator, { recursive: true })
  }

  /** The first round that the coordinator has no frame of. */
  get round(): number {
    let round = 0
    while (existsSync(join(this.coordinator, `${round}.frame`))) round += 1
    return round
  }

  /** @param fate the file operation to die at, and when */
  start(...fate: readonly string[]) {
    return this.startRounds(ROUNDS_EACH, ...fate)
  }

  startRounds(rounds: number, ...fate: readonly string[]) {
    return startProcess(
      script,
      [this.stateDir, this.coordinator, String(this.round), String(rounds), ...fate],
      this.env,
    )
  }

  frame(round: number): string {
    return readFileSync(join(this.coordinator, `${round}.frame`)).toString('hex')
  }

  /** Rounds that went on behind a step that was kept, as often as they did. */
  get resumed(): number {
    return this.#witnessed().resumed
  }

  /** Compares the ledger with what the witness saw. */
  check(): void {
    const { entries } = verifyLedgerBytes(this.#ledgerBytes(), SITE_BUDGET)
    const attempts = replay(entries)?.attempts ?? []
    const witnessed = this.#witnessed()

    const recorded = new Map<number, number>()
    for (const { round, event } of attempts) recorded.set(round, (recorded.get(round) ?? 0) + event.steps)
    for (const [round, steps] of countBy(witnessed.noise)) {
      expect(recorded.get(round) ?? 0, `round ${round}: steps spent <= steps recorded`).toBeGreaterThanOrEqual(steps)
    }
    const written = attempts.map(({ round, attempt }) => `${round}/${attempt}`)
    expect(new Set(written).size, 'nothing is recorded twice').toBe(written.length)

    for (const [round, hashes] of witnessed.sent) {
      expect(hashes.size, `round ${round}: the same bytes each time`).toBe(1)
      const finished = attempts.filter((one) => one.round === round && one.frameSha256 !== undefined)
      expect(
        finished.map(({ frameSha256 }) => frameSha256),
        `round ${round}: recorded before it left`,
      ).toEqual([...hashes])
    }
  }

  /** Steps that the ledger charged for a round. */
  steps(of: number): number {
    const { attempts } = replay(verifyLedgerBytes(this.#ledgerBytes(), SITE_BUDGET).entries)!
    return attempts.reduce((sum, { round, event }) => (round === of ? sum + event.steps : sum), 0)
  }

  #ledgerBytes(): Uint8Array {
    const path = ledgerPath(this.stateDir)
    return existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  }

  #witnessed() {
    const path = join(this.coordinator, 'witness')
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []
    const noise: number[] = []
    let resumed = 0
    const sent = new Map<number, Set<string>>()
    for (const [what, round, hash] of lines.map((line) => line.split(' '))) {
      if (what === 'resumed' && hash !== '0') resumed += 1
      if (what === 'noise') noise.push(Number(round))
      if (what === 'sent') sent.set(Number(round), (sent.get(Number(round)) ?? new Set()).add(hash!))
    }
    return { noise, sent, resumed }
  }
}

function countBy(rounds: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const round of rounds) counts.set(round, (counts.get(round) ?? 0) + 1)
  return counts
}

/** A process is either killed by the test or ends well: a lock or a torn line of its predecessor never stops it. */
function requireSound({ code, signal, said }: Ending): void {
  expect(signal === 'SIGKILL' || code === 0, `code ${code}, signal ${signal}: ${said}`).toBe(true)
}

describe('a site that is killed', () => {
  it('makes as many file operations in a first round as the sweeps take', async () => {
    using folder = temporaryFolder()
    const endingAt = async (operation: number): Promise<Ending> =>
      await new Life(join(folder.path, String(operation))).startRounds(1, String(operation), 'before').ended
    expect(await endingAt(OPERATIONS)).toMatchObject({ signal: 'SIGKILL' })
    expect(await endingAt(OPERATIONS + 1)).toMatchObject({ code: 0, signal: null })
  })

  it(
    'at every file operation never shows less than it spent, and nothing twice',
    async () => {
      using folder = temporaryFolder()
      let life = new Life(join(folder.path, '0'))
      let killed = 0
      for (let start = 0; start < KILLS; start += 1) {
        if (start % OPERATIONS === 0) life = new Life(join(folder.path, String(start)))
        const operation = operationOf(start)
        const moment = Math.floor(start / OPERATIONS) % 2 === 0 ? 'half' : 'before'
        const ending = await life.start(String(operation), moment).ended
        requireSound(ending)
        if (ending.signal === 'SIGKILL') killed += 1
        life.check()
      }
      expect(killed).toBeGreaterThan(KILLS / 2)
      const last = await life.start().ended
      expect(last).toMatchObject({ code: 0 })
      life.check()
    },
    SWEEP_TIMEOUT_MS,
  )

  it(
    'at every file operation goes on behind its last step, and ends with the bytes of one that was not killed',
    async () => {
      using folder = temporaryFolder()
      const tape = { CRASHING_SITE_TAPE: '1' }
      const unharmed = new Life(join(folder.path, 'unharmed'), tape)
      expect(await unharmed.startRounds(1).ended).toMatchObject({ code: 0 })
      let resumed = 0
      for (let start = 0; start < KILLS / 2; start += 1) {
        const life = new Life(join(folder.path, String(start)), tape)
        const moment = ['half', 'before', 'after'][start % 3]!
        requireSound(await life.startRounds(1, String(operationOf(start)), moment).ended)
        life.check()
        if (life.round === 0) expect(await life.startRounds(1).ended).toMatchObject({ code: 0 })
        life.check()
        expect(life.frame(0), `killed ${moment} operation ${operationOf(start)}`).toBe(unharmed.frame(0))
        expect(life.steps(0), 'one crash costs at most one step').toBeLessThanOrEqual(unharmed.steps(0) + 1)
        resumed += life.resumed
      }
      expect(resumed, 'kills fell between two steps').toBeGreaterThan(KILLS / 12)
    },
    SWEEP_TIMEOUT_MS,
  )

  it(
    'at its first start, at every file operation, starts again',
    async () => {
      using folder = temporaryFolder()
      for (let operation = 1; operation <= Math.min(KILLS, OPERATIONS); operation += 4) {
        const life = new Life(join(folder.path, `first-${operation}`))
        expect((await life.start(String(operation), 'half').ended).signal).toBe('SIGKILL')
        life.check()
        expect(await life.start().ended).toMatchObject({ code: 0 })
        life.check()
        expect(life.round).toBeGreaterThanOrEqual(ROUNDS_EACH)
      }
    },
    SWEEP_TIMEOUT_MS,
  )

  it(
    'at random moments never shows less than it spent, and nothing twice',
    async () => {
      using folder = temporaryFolder()
      const life = new Life(folder.path)
      for (let start = 0; start < KILLS / 4; start += 1) {
        const { child, spoke, ended } = life.startRounds(300)
        await spoke
        await delay(Math.random() * 60)
        child.kill('SIGKILL')
        requireSound(await ended)
        life.check()
      }
      expect(life.round, 'the kills fell into the rounds').toBeGreaterThan(0)
    },
    SWEEP_TIMEOUT_MS,
  )
})

describe('two processes on one data set', () => {
  const makeFilter = perStep(0.001)

  it('cannot both spend: the second is refused, and told the number of the first', async () => {
    using folder = temporaryFolder()
    const life = new Life(folder.path)
    using held = openLedger(life.stateDir, FINGERPRINT, BUDGET, { makeFilter })
    const ending = await life.start().ended
    expect(ending.code).not.toBe(0)
    expect(ending.said).toContain(`LEDGER_LOCKED: expected to be the only process that spends`)
    expect(ending.said).toContain(`got process ${process.pid},`)
    expect(() => openLedger(life.stateDir, FINGERPRINT, BUDGET)).toThrow('LEDGER_LOCKED')
    expect(spentEvents(held.state)).toEqual([])
  })

  it('that race for it spend once for each round', async () => {
    using folder = temporaryFolder()
    const life = new Life(folder.path)
    const endings = await Promise.all(Array.from({ length: 4 }, () => life.start().ended))
    for (const { code, said } of endings) if (code !== 0) expect(said).toContain('LEDGER_LOCKED')
    expect(endings.filter(({ code }) => code === 0).length).toBeGreaterThan(0)
    life.check()
    using ledger = openLedger(life.stateDir, FINGERPRINT, BUDGET, { makeFilter })
    expect(ledger.state.attempts.map(({ runId, round, attempt }) => [runId, round, attempt])).toEqual([
      [RUN_A, 0, 1],
      [RUN_A, 1, 1],
    ])
  })

  it('do not wait for a killed one: its lock is gone with it', async () => {
    using folder = temporaryFolder()
    const life = new Life(folder.path)
    expect((await life.start('20', 'before').ended).signal).toBe('SIGKILL')
    using ledger = openLedger(life.stateDir, FINGERPRINT, BUDGET, { makeFilter })
    expect(spentEvents(ledger.state).length).toBeGreaterThan(0)
  })
})
