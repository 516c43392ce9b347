import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { SiteUnit } from '@fedsvd/core/accounting'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { PROTOCOL_VERSION, type RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { loadExtensions } from '@fedsvd/engine/extensions'
import { exposure, requireOwnFolder } from '@fedsvd/engine/files'
import { modelStore } from '@fedsvd/engine/models'
import { loadRuntime } from '@fedsvd/engine/runtime'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { Tokenizer } from '@fedsvd/engine/tokenizers'
import { engineFor, type PrivateEngine, proveModel, tokenizerFor } from '@fedsvd/engine/training'
import { registerStarter } from '@fedsvd/starter/register'
import { Approvals, approvalsFolder } from './approvals/index.ts'
import { openBudget } from './budget.ts'
import { type ClientConfig, modelSettings } from './config.ts'
import { encodedStores, knownDatasets, loadSiteData, type SiteData } from './data/index.ts'
import { eventLog } from './event-log/index.ts'
import { type ClientEvent, leftOutEvent } from './events.ts'
import { enrolledAs, type Identity, loadIdentity, rememberEnrolment } from './identity/identity.ts'
import { budgetInUse, type LedgerState, ledgerPath, SITE_BUDGET } from './ledger/index.ts'
import { ClientNode, unreachable } from './node.ts'
import { fileOutbox, requireReserved } from './outbox/index.ts'
import type { Declaration } from './policy/index.ts'
import { type ReleaseClock, systemClock } from './release/index.ts'
import { fileClosedRounds } from './runs/closed-rounds.ts'
import { fileJoinedRuns } from './runs/joined-runs.ts'
import { requireDelta } from './runs/terms.ts'
import { defaultStateDir, earlierStateDirs, holdState, takeOver } from './state-folder.ts'
import { fileStepSnapshots, requireSnapshotsRecorded } from './step-snapshots/index.ts'
import { ANSWER_HOLD_MS, connectionThread, readTls, type Transport } from './transport/index.ts'

// Before any extension is loaded: none takes its name.
registerStarter()

/** What a client stands on; all of it has a default, so that tests can stand it on something smaller. */
export interface ClientParts {
  readonly transport?: Transport
  readonly source?: RandomSource
  /** The clock of releases; that of the system where it is absent. */
  readonly releaseClock?: ReleaseClock | undefined
  /** Of the lots alone, in tests that draw them apart from the noise. */
  readonly lotSource?: RandomSource
  readonly tokenizer?: Tokenizer
  engineFor?(manifest: RunManifest, runtime: RuntimeSettings): Promise<PrivateEngine>
  onEvent?(event: ClientEvent): void
}

/**
 * Starts a client node: reads the data, enrols where it has not yet, opens its ledger, and connects.
 *
 * @throws FedsvdError whatever makes a start impossible: DATA_UNREADABLE, LEDGER_LOCKED, LEDGER_DAMAGED, TOKEN_INVALID,
 *   COORDINATOR_UNREACHABLE after `maxWaitSeconds`, RUNTIME_UNAVAILABLE
 */
export async function startClient(config: ClientConfig, parts: ClientParts = {}): Promise<ClientNode> {
  requireOwnFolder(config.stateDir, 'client')
  const held = holdState(config.stateDir, config.budgetName)
  try {
    const node = await startHeld(config, parts)
    node.beside(held)
    return node
  } catch (error) {
    held[Symbol.dispose]()
    throw error
  }
}

/** The state folder is held by this process. */
async function startHeld(config: ClientConfig, parts: ClientParts): Promise<ClientNode> {
  const wasEnrolled = enrolledAs(config.stateDir, config.coordinator, config.budgetName) !== undefined
  try {
    return await start(config, parts, { anew: false })
  } catch (error) {
    // A coordinator that was restored from a backup of before does not know this site; a token is a new word of its
    // operator.
    const isUnknown = isFedsvdError(error, 'SIGNATURE_INVALID') && wasEnrolled
    if (!isUnknown || config.enrolmentToken === undefined) throw error
    return await start(config, parts, { anew: true })
  }
}

async function start(
  config: ClientConfig,
  parts: ClientParts,
  { anew }: { readonly anew: boolean },
): Promise<ClientNode> {
  const log = eventLog(config.stateDir, config.budgetName ?? SITE_BUDGET, () => new Date())
  const onEvent = guarded((event) => {
    log(event)
    parts.onEvent?.(event)
  })
  const transport = parts.transport ?? connectionOf(config)
  await loadExtensions(config.extension)
  await loadRuntime(config)
  const earlier = earlierStateDirs(config.stateDir, config.dataFile)
  const isDefault = resolve(config.stateDir) === defaultStateDir()
  if (isDefault) takeOver(config.stateDir, earlier)
  const known = () => knownDatasets(config.stateDir, earlier)
  const site = await loadSiteData(config.dataFile, config, config.stateDir, known)
  const { files, records, fingerprint, unit, withoutUnit } = site
  const leftOut = site.leftOut.count
  const rows = records + withoutUnit + leftOut
  onEvent({ event: 'data-loaded', files, rows, records, fingerprint, unit, withoutUnit, leftOut })
  if (leftOut > 0) onEvent(leftOutEvent(site.leftOut))
  const rights = exposure(config.stateDir)
  if (rights !== undefined) onEvent({ event: 'state-exposed', path: resolve(config.stateDir), rights })
  const models = modelStore(modelSettings(config))
  const isFirstStart = earlier.length === 0 && !existsSync(join(config.stateDir, 'ledgers'))
  const identity = loadIdentity(config.stateDir, config.coordinator, config.budgetName)
  let clientId: string
  try {
    if (isFirstStart && config.declaredRecords === undefined) throw undeclared()
    // Before the ledger: a token that is not taken leaves nothing of the budget that was given with it.
    clientId = await enrolOnce(config, identity, transport, { onEvent, anew })
  } catch (error) {
    site[Symbol.dispose]()
    throw error
  }
  const ledger = await openBudget({
    stateDir: config.stateDir,
    fingerprint: site.fingerprint,
    dataFile: config.dataFile,
    columns: config,
    budget: config.budget,
    name: config.budgetName,
    statementFile: config.disjointStatement,
    renewalFiles: config.renewals,
    // In a state folder that was named, the site is another than that of the default one, unless the data are the same.
    earlier: earlier.map((stateDir) => (isDefault ? { stateDir } : { stateDir, only: site.fingerprint })),
  })
  try {
    const { adopted } = ledger.state
    if (adopted.size > 0) onEvent({ event: 'ledgers-adopted', count: adopted.size })
    onEvent(budgetEvent(config, ledger.state, unit))
    const declaration = declarationOf(config, site, ledger.state)
    const { labels, records: declaredRecords } = declaration
    onEvent({ event: 'declared', declaredRecords, records: site.records, ...(labels && { labels }) })
    requireReserved(config.stateDir, ledger)
    requireSnapshotsRecorded(config.stateDir, ledger)
    const node = new ClientNode({
      clientId,
      site,
      ledger,
      transport,
      onEvent,
      declaration,
      limits: config.limits,
      policy: config.policy,
      outbox: fileOutbox(config.stateDir, site.fingerprint),
      snapshots: fileStepSnapshots(config.stateDir, site.fingerprint),
      joined: fileJoinedRuns(config.stateDir),
      closed: fileClosedRounds(config.stateDir),
      approvals: new Approvals(approvalsFolder(config.stateDir, ledger.state.name), identity.publicKey),
      source: parts.source ?? osRandomness,
      lotSource: parts.lotSource,
      releaseClock: config.releaseGrid ? (parts.releaseClock ?? systemClock) : undefined,
      stores: encodedStores(
        config.stateDir,
        site,
        async (model) => parts.tokenizer ?? (await tokenizerFor(model, models)),
        { pairs: config.pairColumn !== undefined, placeKey: ledger.state.salt },
      ),
      signChallenge: (id, nonce) => identity.signChallenge(id, nonce),
      ...(parts.engineFor === undefined && { proveModel: (manifest) => proveModel(manifest, models) }),
      engineFor: (manifest) =>
        parts.engineFor === undefined ? engineFor(manifest, config, models) : parts.engineFor(manifest, config),
    })
    await waitForConnection(node, config)
    return node
  } catch (error) {
    ledger[Symbol.dispose]()
    site[Symbol.dispose]()
    throw error
  }
}

/** What the site may spend and has spent, as its ledger has it. */
function budgetEvent({ stateDir, budget: asked }: ClientConfig, state: LedgerState, unit: SiteUnit): ClientEvent {
  const { name, budget, epsilonCharged, remaining, renewed, ...used } = budgetInUse(state)
  const isAsked = budget.epsilon === asked.epsilon && budget.delta === asked.delta
  return {
    event: 'budget',
    name,
    budget,
    asked,
    source: isAsked ? 'settings' : 'ledger',
    unit: used.unit ?? unit,
    epsilonCharged,
    remaining,
    ledger: resolve(ledgerPath(stateDir, name)),
    ...(renewed && { renewed }),
  }
}

/** The way to the coordinator: in a thread of its own, with answers kept back where releases are on a grid of time. */
function connectionOf(config: ClientConfig): Transport {
  return connectionThread(config.coordinator, {
    trust: readTls(config),
    holdMs: config.releaseGrid ? ANSWER_HOLD_MS : 0,
  })
}

/**
 * What the site says of its data. A ledger that has agreed to a run knows the declared count from that run's terms,
 * which are public; nothing is ever derived from the records.
 *
 * @throws FedsvdError CONFIG_INVALID where no count was declared yet
 */
function declarationOf(
  { declaredRecords, declaredLabels }: ClientConfig,
  { task, unit }: SiteData,
  { runs }: LedgerState,
): Declaration {
  const records = declaredRecords ?? [...runs.values()].at(-1)?.terms.declaredRecords
  if (records !== undefined) return { records, labels: declaredLabels, task, unit }
  throw undeclared()
}

function undeclared(): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'a declared number of records, such as --declared-records 1000',
    got: 'no --declared-records',
    remedy:
      'Choose a round number near the true one by hand: it is told to coordinators, so it must not follow from one record.',
  })
}

/** A listener that fails is the listener's affair: it neither stops a round nor ends the process. */
function guarded(listen: ClientParts['onEvent']): (event: ClientEvent) => void {
  return (event) => {
    try {
      listen?.(event)
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }
}

async function enrolOnce(
  config: ClientConfig,
  { publicKey }: Identity,
  transport: Transport,
  { onEvent, anew }: { onEvent(event: ClientEvent): void; readonly anew: boolean },
): Promise<string> {
  const known = anew ? undefined : enrolledAs(config.stateDir, config.coordinator, config.budgetName)
  if (known !== undefined) return known
  if (config.declaredRecords !== undefined) requireDelta(config.budget.delta, config.declaredRecords)
  if (config.enrolmentToken === undefined) {
    throw new FedsvdError('TOKEN_INVALID', {
      expected: 'an enrolment token at the first start',
      got: 'no token',
      remedy:
        'Ask who runs the coordinator for one, and name its file with --token-file, or set FEDSVD_ENROLMENT_TOKEN.',
    })
  }
  onEvent({ event: 'waiting', coordinator: config.coordinator })
  const request = { protocolVersion: PROTOCOL_VERSION, token: config.enrolmentToken, name: config.name, publicKey }
  const { clientId } = await transport.enrol(request, patience(config), (other) => {
    onEvent({ event: 'unreachable', error: (other ?? unreachable(config.coordinator)).toJSON() })
  })
  rememberEnrolment(config.stateDir, config.coordinator, clientId, config.budgetName)
  onEvent({ event: 'enrolled', clientId })
  return clientId
}

async function waitForConnection(node: ClientNode, config: ClientConfig): Promise<void> {
  const signal = patience(config)
  const givenUp = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )
  const refused = node.turnedAway.then((reason) => Promise.reject(reason))
  try {
    await Promise.race([node.connected, refused, givenUp])
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

/** Aborts with COORDINATOR_UNREACHABLE after `maxWaitSeconds`, never where none is set. */
function patience({ maxWaitSeconds, coordinator }: ClientConfig): AbortSignal {
  const abort = new AbortController()
  if (maxWaitSeconds === undefined) return abort.signal
  const unreachable = new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `a coordinator at ${coordinator} within ${maxWaitSeconds} s`,
    got: 'no answer',
    remedy: 'Check the address, the network and that the coordinator runs',
  })
  setTimeout(() => abort.abort(unreachable), maxWaitSeconds * 1000).unref()
  return abort.signal
}
