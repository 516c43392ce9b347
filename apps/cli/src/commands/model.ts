import { isFedsvdError } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { type ModelOptions, modelSettingsOf, withModelOptions } from '../model-options.ts'
import { example } from '../options.ts'
import { outputFor, table } from '../output.ts'
import { registryCommands } from './model-registry.ts'

/** `fedsvd model`: what runs may name as their model, and names for the models that come out of them. */
export function modelCommand(): Command {
  const command = new Command('model')
    .addCommand(
      withAccess(new Command('list').description('List the models that runs of a coordinator may name.'))
        .option('--json', 'print { "models", "unusable", "hasHub" }')
        .addHelpText('after', example('fedsvd model list'))
        .action(list),
    )
    .addCommand(
      withModelOptions(
        new Command('show')
          .description(
            'Prove that a checkpoint can be trained; which layers it has, and the identity that a run names it by.',
          )
          .argument('<name>', 'name of the checkpoint, such as my-bert or owner/name@commit'),
      )
        .option('--json', 'print one JSON object')
        .addHelpText('after', example('fedsvd model show my-bert', 'fedsvd model show owner/name@main --hub https://…'))
        .action(show),
    )
  for (const one of registryCommands()) command.addCommand(one)
  return command
}

async function list(options: AccessOptions & { readonly json?: boolean }): Promise<void> {
  const { fetchModels } = await import('../coordinator-requests.ts')
  const output = outputFor(options)
  const { models, unusable, hasHub } = await fetchModels(await accessOf(options))
  output.record({ models, unusable, hasHub })
  const rows = models.map(({ name, modelType, maxTokens, tasks }) => [
    name,
    modelType ?? 'built in',
    maxTokens,
    tasks.join(', '),
  ])
  output.line(table([['name', 'architecture', 'tokens at most', 'tasks'], ...rows]))
  for (const { name, reason } of unusable) output.line(`${name} cannot be used: ${reason}`)
  if (hasHub) output.line('Others are fetched from the hub, as owner/name@commit.')
}

async function show(name: string, options: ModelOptions & { json?: boolean }): Promise<void> {
  const { modelStore } = await import('@fedsvd/engine/models')
  const { checkpointSchema, isDecoder, longestText, proveCheckpoint } = await import('@fedsvd/engine/training')
  const stored = await modelStore(modelSettingsOf(options)).open({ name })
  const checkpoint = await stored.identity()
  await proveCheckpoint(stored)
  const tokens = isDecoder(stored.config) ? await refusalOf(() => proveCheckpoint(stored, 'causal-lm')) : undefined
  const terms = { rank: 1, alpha: 1, headMode: 'trained', classes: 2 } as const
  const endings = (targets?: readonly string[]) => {
    const { layers } = checkpointSchema(stored.config, { ...terms, targets })
    return [...new Set(layers.map((layer) => layer.name.slice(layer.name.lastIndexOf('.') + 1)))]
  }
  const facts = {
    name: stored.name,
    modelType: stored.modelType,
    maxTokens: longestText(stored.config),
    targets: endings(),
    layers: endings(['all-linear']),
    checkpoint,
    ...(tokens !== undefined && { predictsNoTokens: tokens }),
  }
  const output = outputFor(options)
  output.record(facts)
  output.line(`${facts.name}: ${facts.modelType}, texts of up to ${facts.maxTokens} tokens`)
  output.line(`a made-up record went through it: tensors, sizes and tokenizer fit together`)
  if (tokens !== undefined) output.line(`it predicts no tokens, so it is for classification alone: ${tokens}`)
  output.line(`adapted by default  ${facts.targets.join(', ')}`)
  output.line(`linear layers       ${facts.layers.join(', ')}`)
  output.line(`identity, for model.checkpoint of a run where the coordinator has config.json only:`)
  output.line(JSON.stringify(checkpoint, null, 2))
}

/** Why a checkpoint has no output embeddings, which classification does without. */
async function refusalOf(prove: () => Promise<void>): Promise<string | undefined> {
  try {
    await prove()
    return undefined
  } catch (error) {
    if (!isFedsvdError(error, 'CHECKPOINT_INVALID')) throw error
    return `expected ${error.detail.expected}, got ${error.detail.got}`
  }
}
