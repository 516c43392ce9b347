import { join } from 'node:path'
import type { ModelSettings } from '@fedsvd/engine/models'
import { type Command, Option } from 'commander'
import { type SecretOption, secretOf, withSecret } from './secret-option.ts'

export const DEFAULT_MODELS = join('.fedsvd', 'models')

/** Where this machine has its checkpoints. */
export interface ModelOptions {
  readonly models: string
  readonly hub?: string
}

const HUB_TOKEN: SecretOption = {
  flag: '--hub-token',
  env: 'FEDSVD_HUB_TOKEN',
  what: 'access token for repositories that are not public',
}

/** Adds the options that say where checkpoints are. */
export function withModelOptions(command: Command): Command {
  const options = command
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
  return withSecret(options, HUB_TOKEN)
}

/**
 * Texts are read apart: one that a tokenizer cannot read ends the process that reads it.
 *
 * @throws FedsvdError CONFIG_INVALID when the file of the token cannot be read
 */
export function modelSettingsOf(options: ModelOptions): ModelSettings {
  const { models, hub } = options
  return {
    models,
    readsTextsApart: true,
    ...(hub !== undefined && { hub: { url: hub, token: secretOf({ ...options }, HUB_TOKEN) } }),
  }
}
