/*
 * A site that a test kills: it takes part in one run, round after round, with the real ledger, outbox, mechanism and
 * round, an engine without a model, and a coordinator that is a folder. Run as a process of its own:
 *
 *   node <bundle> <state folder> <coordinator folder> <first round> <rounds> [<file operation to die at> before|after|half]
 *
 * With the last two it counts its own file operations (write, fsync, rename, remove, truncate) and kills itself with
 * SIGKILL at the one named: before it, after it, or with half of the bytes written.
 *
 * With CRASHING_SITE_TAPE set, the random numbers of a step are a function of its round and its number: so a site that
 * is killed and one that is not draw the same for the steps that count, and must end with the same bytes.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { openLedger } from '@fedsvd/client/ledger'
import { fileOutbox, requireReserved } from '@fedsvd/client/outbox'
import { AwaitableValue } from '@fedsvd/client/platform'
import { QuietTime } from '@fedsvd/client/release'
import { runRound } from '@fedsvd/client/round'
import { fileStepSnapshots, requireSnapshotsRecorded } from '@fedsvd/client/step-snapshots'
import type { CoordinatorLink } from '@fedsvd/client/transport'
import { canonicalSchema, initialState, tensorsOfState } from '@fedsvd/core/lora'
import { encodeFrame, type Invitation, NO_CLIENT } from '@fedsvd/core/protocol'
import { RandomBits } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import { fakeEngine } from './fake-engine.ts'
import { BUDGET, FINGERPRINT, perStep, RUN_A, sampleBound, sampleManifest, TERMS } from './sample-run.ts'

/** The coordinator and the witness are other machines: what they do is neither counted nor killed. */
const outside = { ...fs }

/** Node's own writeFileSync and appendFileSync call the writeSync that is counted. */
function writeOutside(path: string, flag: 'a' | 'w', bytes: Uint8Array): void {
  const fd = outside.openSync(path, flag)
  outside.writeSync(fd, bytes)
  outside.closeSync(fd)
}

const [stateDir = '', coordinator = '', firstRound = '0', rounds = '1', fatal, when] = process.argv.slice(2)
/** Enough for a first, a middle and a last step. */
const STEPS = 3
const manifest = sampleManifest({ rounds: 1000, localSteps: STEPS, momentum: 0.5 })
const GENEROUS = { epsilon: 1000, delta: BUDGET.delta }
const bound = sampleBound(manifest, { ...TERMS, budget: GENEROUS })
const makeFilter = perStep(0.001)

function witness(line: string): void {
  writeOutside(join(coordinator, 'witness'), 'a', Buffer.from(`${line}\n`))
}

/** Random numbers of the operating system, or of the tape; the witness hears of the first of each step. */
class WitnessedBits extends RandomBits {
  #round = 0
  #step = 1
  #noted = ''
  #tape: Uint32Array = new Uint32Array(0)
  #at = 0

  constructor() {
    super(osRandomness)
  }

  /** What follows is drawn for this step. */
  turnTo(round: number, step: number): void {
    this.#round = round
    this.#step = step
    this.#at = 0
    const words = Uint8Array.from(
      Buffer.concat(Array.from({ length: 64 }, (_, n) => sha256(Buffer.from(`${round}/${step}/${n}`)))),
    )
    this.#tape = new Uint32Array(words.buffer)
  }

  override uint32(): number {
    const place = `${this.#round} ${this.#step}`
    if (this.#noted !== place) witness(`noise ${place}`)
    this.#noted = place
    if (process.env.CRASHING_SITE_TAPE === undefined) return super.uint32()
    const word = this.#tape[this.#at++]
    if (word === undefined) throw new Error('the tape is too short')
    return word
  }
}

function dieAt(operation: number, moment: string): void {
  let count = 0
  const mutable = fs as unknown as Record<string, (...args: unknown[]) => unknown>
  for (const name of ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'ftruncateSync']) {
    const real = mutable[name]!
    mutable[name] = (...args) => {
      count += 1
      if (count !== operation) return real(...args)
      if (moment === 'half' && name === 'writeSync' && args[1] instanceof Uint8Array) {
        const [fd, bytes, from = 0] = args as [number, Uint8Array, number?]
        real(fd, bytes, from, Math.floor((bytes.length - from) / 2))
      }
      if (moment === 'after') real(...args)
      process.kill(process.pid, 'SIGKILL')
      return undefined
    }
  }
  syncBuiltinESMExports()
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const schemaHash = Buffer.from(sha256(Buffer.from(canonicalSchema(manifest.adapter)))).toString('hex')
const tensors = tensorsOfState(initialState(manifest.adapter, manifest))
const state = encodeFrame(
  { kind: 'state', round: 0, basis: 0, runId: RUN_A, clientId: NO_CLIENT, schemaHash, tensors },
  sha256,
)

function invitationTo(round: number): Invitation {
  const published = { sha256: Buffer.from(sha256(state)).toString('hex'), bytes: state.length }
  const deadline = '2100-01-01T00:00:00.000Z'
  return { runId: RUN_A, round, basis: 0, state: published, uploadToken: 'token', deadline }
}

const link: CoordinatorLink = {
  report: async () => ({ agrees: true }),
  roundFailed: async () => {},
  fetchState: async () => state,
  upload: async ({ round, frame }) => {
    const hash = Buffer.from(sha256(frame)).toString('hex')
    witness(`sent ${round} ${hash}`)
    const path = join(coordinator, `${round}.frame`)
    if (!outside.existsSync(path)) writeOutside(path, 'w', frame)
    return { status: 'accepted', sha256: hash }
  },
  [Symbol.asyncDispose]: async () => {},
}

process.on('uncaughtException', (error) => {
  process.stderr.write(error.message)
  process.exit(1)
})
if (fatal !== undefined) dieAt(Number(fatal), when ?? 'before')
using ledger = openLedger(stateDir, FINGERPRINT, GENEROUS, { makeFilter })
requireReserved(stateDir, ledger)
requireSnapshotsRecorded(stateDir, ledger)
ledger.bind(bound)
for (let round = Number(firstRound); round < Number(firstRound) + Number(rounds); round += 1) {
  const bits = new WitnessedBits()
  bits.turnTo(round, 1)
  const uploadToken = new AwaitableValue<string>()
  uploadToken.set('token')
  const resumeGate = new AwaitableValue<true>()
  resumeGate.set(true)
  await runRound({
    clientId: '44444444-4444-4444-8444-444444444444',
    manifest,
    invitation: invitationTo(round),
    uploadToken,
    run: bound,
    link,
    ledger,
    outbox: fileOutbox(stateDir, FINGERPRINT),
    snapshots: fileStepSnapshots(stateDir, FINGERPRINT),
    engine: fakeEngine(manifest.adapter),
    records: async () => recordsInMemory([{ tokenIds: Int32Array.of(1), label: 1 }]),
    release: { begin: () => {}, endOfSlot: async () => 0, endOfCutSlot: async () => {} },
    work: (signal) => new QuietTime({ now: () => 0 }).work(signal),
    whenDiskHasRoom: async (action) => await action(),
    source: bits,
    resumeGate,
    signal: new AbortController().signal,
    report: async () => {},
    onNotEvaluated: () => {},
    onShortened: () => {},
    onLotFault: () => {},
    onResumed: ({ step }) => {
      witness(`resumed ${round} ${step}`)
      bits.turnTo(round, step + 1)
    },
    onPart: () => {},
    onStep: ({ step }) => bits.turnTo(round, step + 1),
  })
  outside.writeSync(1, `round ${round}\n`)
}
