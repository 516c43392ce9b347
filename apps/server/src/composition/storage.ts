import path from 'node:path'
import type { Logger } from 'pino'
import type { CoordinatorConfig } from '../config.ts'
import { Membership, type MembershipParts } from '../membership.ts'
import { objectStoreIdentity } from '../object-store-identity.ts'
import { type BlobStore, cachingBlobs, type HeldBlobs, holdingBlobs, openBlobs } from '../storage/objects/index.ts'
import { openEmbeddedStore } from '../storage/records/embedded/index.ts'
import { type Store, tracedStore } from '../storage/records/index.ts'
import { openPostgresStore } from '../storage/records/postgres/index.ts'
import type { BaseServices } from './base-services.ts'
import type { Secrets } from './secrets.ts'

/** How much of the newest states and updates stays in memory. */
const CACHED_BYTES = 64 * 2 ** 20

export type OpenStore = (config: CoordinatorConfig, log: Logger) => Promise<Store>
export type OpenBlobs = (config: CoordinatorConfig) => Promise<BlobStore>

export interface Storage {
  readonly store: Store
  readonly blobs: HeldBlobs
  /** The other coordinators on the database, where it is one that can be shared. */
  readonly others: Membership | undefined
}

/** Opens the database and the store of tensors, and joins the other coordinators on them. */
export async function composeStorage(
  { config, clock, log, tracer }: BaseServices,
  { operatorToken, upload, statement }: Secrets,
  given: { readonly openStore?: OpenStore | undefined; readonly openBlobs?: OpenBlobs | undefined },
): Promise<Storage> {
  const graceMs = 1000 * config.collectGraceSeconds
  const opened = await (given.openBlobs ?? openBlobs)(config)
  const blobs = holdingBlobs(cachingBlobs(opened, CACHED_BYTES), { now: () => clock.now(), graceMs })
  const store = tracedStore(await (given.openStore ?? openStore)(config, log), tracer)
  const { databaseUrl, stateDir, leaseSeconds } = config
  if (databaseUrl === undefined) return { store, blobs, others: undefined }
  const shared = [operatorToken, upload, statement, await objectStoreIdentity(config)]
  const parts = { databaseUrl, stateDir, store, clock, log, leaseMs: leaseSeconds * 1000, shared }
  return { store, blobs, others: await joinOthers(store, parts) }
}

/** Closes the store where the coordinator cannot join the others. */
async function joinOthers(store: Store, parts: MembershipParts): Promise<Membership> {
  try {
    return await Membership.join(parts)
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

function openStore({ databaseUrl, stateDir }: CoordinatorConfig, log: Logger): Promise<Store> {
  if (databaseUrl !== undefined) return openPostgresStore(databaseUrl)
  return openEmbeddedStore(path.join(stateDir, 'database'), (error) =>
    log.fatal({ err: error }, 'the embedded database stopped unexpectedly'),
  )
}
