import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { identifierSchema } from '@fedsvd/core/protocol'
import type { ModelInUse } from '@fedsvd/engine/inference'
import type { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { roundIn, stateAfter, type WhichRound } from '../export-run.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { fetchRun } from '../operator-client.ts'
import { collect, positiveInteger, round } from '../options.ts'
import { chosenProfile } from '../profile/index.ts'
import { runNamed } from '../run/run-named.ts'

/** Where a model comes from, and how it is computed. */
export interface SourceOptions extends AccessOptions, ModelOptions {
  readonly threads?: number
  readonly round?: WhichRound
  readonly extension?: readonly string[]
}

/** Adds the argument that names a model, and the options by which it is found. */
export function withModelSource(command: Command): Command {
  command.argument(
    '<model>',
    'folder that fedsvd export wrote, or name or identifier of a run (of the coordinator or the profile)',
  )
  return withModelOptions(withAccess(command))
    .option('--round <number>', 'of a run: after which round, counted from 1, or best (default: the newest)', round)
    .option('--threads <n>', 'threads of the runtime (default: one for each core)', positiveInteger)
    .option('--extension <file>', 'module that registers a model; once for each', collect)
}

/**
 * Opens what the argument names: a folder, or a run, one of whose states is fetched from its coordinator.
 *
 * @throws FedsvdError CONFIG_INVALID for a run without a coordinator, CHECKPOINT_INVALID, RUN_STATE, STATE_NOT_FOUND
 */
export async function openSource(source: string, options: SourceOptions): Promise<ModelInUse> {
  const { loadExtensions } = await import('@fedsvd/engine/extensions')
  const { registerStarter } = await import('@fedsvd/starter/register')
  const { modelStore } = await import('@fedsvd/engine/models')
  const { openModel, openState } = await import('@fedsvd/engine/inference')
  registerStarter()
  await loadExtensions(options.extension ?? [])
  const terms = {
    models: modelStore(modelSettingsOf(options)),
    runtime: { threads: options.threads ?? availableParallelism() },
  }
  if (!isRun(source, options)) return await openModel(source, terms)
  const access = await accessOf(options)
  const run = await fetchRun(access, await runNamed(access, source))
  const { task, model, labels, adapter } = run.manifest
  const state = await stateAfter(access, run, roundIn(run, options.round))
  return await openState({ task, model, labels, adapter }, state, terms)
}

/** What is no folder is a run: by its identifier, and where a coordinator is known by its name too. */
function isRun(source: string, { coordinator, profile }: SourceOptions): boolean {
  if (existsSync(source)) return false
  if (identifierSchema.safeParse(source).success) return true
  const isPath = /[\\/]|^\./.test(source)
  return !isPath && (coordinator !== undefined || chosenProfile(profile) !== undefined)
}
