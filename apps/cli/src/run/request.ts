import { FedsvdError } from '@fedsvd/core/errors'
import type { RunRequest } from '@fedsvd/core/protocol'
import { type ConfigOverrides, checkConfig, readConfigFile } from '../config-file/index.ts'
import { fetchClients, fetchModels } from '../coordinator-requests.ts'
import type { OperatorAccess } from '../operator-client.ts'
import { type RunConfig, runConfigSchema, runRequestOf } from '../run-config/index.ts'

/** The few decisions that a run can be made of without a file, or changed by beside one. */
export interface RunFlags {
  readonly name?: string
  readonly model?: string
  readonly task?: string
  readonly labels?: readonly string[]
  readonly epsilon?: number
  readonly delta?: number
  readonly rounds?: number
  readonly learningRate?: number
  readonly clientsPerRound?: number
  readonly quorum?: number
}

const WHAT = 'run configuration'

/** What the file says, with the options before it. @throws ConfigFileError with every fault */
export function runConfigOf(config: string | undefined, flags: RunFlags): RunConfig {
  const overrides = overridesOf(flags)
  if (config !== undefined) return readConfigFile(config, runConfigSchema, WHAT, overrides)
  return checkConfig(overrides, runConfigSchema, { file: 'the options', what: WHAT })
}

function overridesOf({ epsilon, delta, ...flags }: RunFlags): ConfigOverrides {
  const target = { ...(epsilon !== undefined && { epsilon }), ...(delta !== undefined && { delta }) }
  return { ...flags, ...(Object.keys(target).length > 0 && { target }) }
}

/**
 * The request for a configuration at a coordinator, and how many sites are enrolled there.
 *
 * @throws FedsvdError CONFIG_INVALID where all of them are meant and there is none
 */
export async function requestAt(
  access: OperatorAccess,
  config: RunConfig,
): Promise<{ readonly request: RunRequest; readonly enrolled: number }> {
  const [clients, { models }] = await Promise.all([fetchClients(access), fetchModels(access)])
  const enrolled = clients.filter(({ revokedAt }) => revokedAt === undefined).length
  if (enrolled === 0 && config.clientsPerRound === undefined) throw nobodyEnrolled()
  const { model } = config
  const name = typeof model === 'string' ? model : model.name
  const known = models.find((one) => one.name === name)
  return { request: runRequestOf(config, { clients: enrolled, ...(known && { model: known }) }), enrolled }
}

function nobodyEnrolled(): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'clientsPerRound, as no site is enrolled yet that a round could ask',
    got: 'no clientsPerRound and no client',
    remedy: 'Give --clients-per-round, or enrol the sites first (`fedsvd token create`).',
  })
}
