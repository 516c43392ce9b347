import path from 'node:path'
import { type ClientConfigInput, clientConfig, startClient } from '@fedsvd/client'
import { FedsvdError } from '@fedsvd/core/errors'
import type { RunRequest, RunSnapshot } from '@fedsvd/core/protocol'
import { type CoordinatorSettings, startCoordinator } from '@fedsvd/server'
import { exportRun } from './export-run.ts'
import { createEnrolmentTokens, createRun, followRun, type OperatorAccess } from './operator-client.ts'

/** A site of a federation in one process: what it trains on and what it may spend. */
export type SiteSettings = Omit<ClientConfigInput, 'coordinator' | 'enrolmentToken' | 'once'>

export interface FederationSettings {
  /** Folder of the states of the coordinator and of the sites that name none of their own. */
  readonly folder: string
  readonly sites: readonly SiteSettings[]
  /** Of the coordinator; it listens on a free port of this machine unless they say otherwise. */
  readonly coordinator?: CoordinatorSettings
}

/** A coordinator and its sites in one process; disposing it stops them all. */
export interface Federation extends AsyncDisposable {
  /** Address of the coordinator, with its dashboard. */
  readonly url: string
  readonly operatorToken: string
  /**
   * Starts a run and waits for its end.
   *
   * @param onChange called with every change of the run
   * @throws FedsvdError RUN_STATE where it ends without being completed
   */
  run(request: RunRequest, onChange?: (run: RunSnapshot) => void): Promise<RunSnapshot>
  /** Writes the newest state of a run as a PEFT adapter. @returns the files written */
  export(runId: string, folder: string): Promise<readonly string[]>
  /** The same as disposing it. */
  close(): Promise<void>
}

/**
 * Starts a coordinator and the clients of all sites in this process, to try a federation or to test one. Sites that do
 * not trust each other run `fedsvd join` on machines of their own.
 */
export async function startFederation({ folder, sites, coordinator }: FederationSettings): Promise<Federation> {
  const started: AsyncDisposable[] = []
  const close = async (): Promise<void> => {
    for (const one of started.splice(0).reverse()) await one[Symbol.asyncDispose]()
  }
  try {
    const stateDir = path.join(folder, 'coordinator')
    const { url, operatorToken } = keep(started, await startCoordinator({ port: 0, stateDir, ...coordinator }))
    const access: OperatorAccess = { url, token: operatorToken }
    const tokens = await createEnrolmentTokens(access, sites.length)
    for (const [index, site] of sites.entries()) {
      const own = { stateDir: path.join(folder, site.name), ...site }
      keep(started, await startClient(clientConfig({ ...own, coordinator: url, enrolmentToken: tokens[index] })))
    }
    return {
      url,
      operatorToken,
      run: async (request, onChange) => await runToItsEnd(access, request, onChange),
      export: async (runId, to) => await exportRun(access, runId, { format: 'peft', folder: to }),
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function keep<T extends AsyncDisposable>(started: AsyncDisposable[], one: T): T {
  started.push(one)
  return one
}

async function runToItsEnd(
  access: OperatorAccess,
  request: RunRequest,
  onChange?: (run: RunSnapshot) => void,
): Promise<RunSnapshot> {
  using run = followRun(access, await createRun(access, request), onChange)
  const last = await run.ended
  if (last.state === 'completed') return last
  throw new FedsvdError('RUN_STATE', {
    expected: 'the run to complete',
    got: `${last.state} (${last.reason ?? 'no reason given'})`,
    remedy: 'Read what its clients and its coordinator report',
  })
}
