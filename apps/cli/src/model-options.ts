import { join } from 'node:path'
import type { ModelSettings } from '@fedsvd/engine/models'
import { type Command, Option } from 'commander'

export const DEFAULT_MODELS = join('.fedsvd', 'models')

/** Where this machine has its checkpoints. */
export interface ModelOptions {
  readonly models: string
  readonly hub?: string
  readonly hubToken?: string
}

/** Adds the options that say where checkpoints are. */
export function withModelOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--models <folder>', 'folder of checkpoints, <folder>/<name>/config.json')
        .env('FEDSVD_MODELS')
        .default(DEFAULT_MODELS),
    )
    .addOption(
      new Option('--hub <url>', 'hub to fetch checkpoints from, such as https://huggingface.co; none unless given').env(
        'FEDSVD_HUB',
      ),
    )
    .addOption(new Option('--hub-token <token>', 'for repositories that are not public').env('FEDSVD_HUB_TOKEN'))
}

export function modelSettingsOf({ models, hub, hubToken }: ModelOptions): ModelSettings {
  return { models, ...(hub !== undefined && { hub: { url: hub, token: hubToken } }) }
}
