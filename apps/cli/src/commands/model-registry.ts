import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import {
  modelNameSchema,
  modelTagSchema,
  parseMessage,
  type RegisteredModelView,
  registeredModelSchema,
  registeredModelsSchema,
} from '@fedsvd/core/protocol'
import { Command, InvalidArgumentError } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import type { WhichRound } from '../export-run.ts'
import { askJson, type OperatorAccess } from '../operator-client.ts'
import { collect, example, identifier, round } from '../options.ts'
import { outputFor, table } from '../output.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean } & T

const RUN = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const AT = '--coordinator http://127.0.0.1:7373'

/** The commands of `fedsvd model` that give states of runs names: register, registry, tag and unregister. */
export function registryCommands(): Command[] {
  return [
    withAccess(
      new Command('register')
        .description('Give a state of a run a name: it becomes the next version there.')
        .argument('<run>', 'identifier of the run', identifier),
    )
      .requiredOption('--name <name>', 'what the model is called', modelName)
      .option('--round <number>', 'after which round, counted from 1, or best (default: the newest)', round)
      .option('--tag <tag>', 'what the version is for, such as production; once for each', tag)
      .option('--json', 'print the version as JSON')
      .addHelpText(
        'after',
        example(`fedsvd model register ${RUN} ${AT} --name spam-filter --round best --tag production`),
      )
      .action(register),
    withAccess(new Command('registry').description('List the states of runs that have names.'))
      .option('--json', 'print { "models" }')
      .addHelpText('after', example(`fedsvd model registry ${AT}`))
      .action(list),
    withAccess(
      new Command('tag')
        .description('Put tags on a version, in place of those that it has; no other version of its name keeps them.')
        .argument('<version>', 'such as spam-filter@3', version)
        .argument('[tags...]', 'none: the version has no tags any more', tag),
    )
      .option('--json', 'print the version as JSON')
      .addHelpText('after', example(`fedsvd model tag spam-filter@3 production ${AT}`))
      .action(retag),
    withAccess(
      new Command('unregister')
        .description('Take a version out of the registry. Its state stays as the rule of its run says.')
        .argument('<version>', 'such as spam-filter@3', version),
    )
      .option('--json', 'print the version as JSON')
      .addHelpText('after', example(`fedsvd model unregister spam-filter@3 ${AT}`))
      .action(unregister),
  ]
}

interface Version {
  readonly name: string
  readonly version: number
}

async function register(
  runId: string,
  options: Options<{ readonly name: string; readonly round?: WhichRound; readonly tag?: readonly string[] }>,
): Promise<void> {
  const { name, round: which, tag: tags = [] } = options
  const counted = typeof which === 'number' ? which - 1 : which
  const body = { name, ...(counted !== undefined && { round: counted }), tags }
  tell(options, await post(await accessOf(options), runId, body))
}

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const models = await fetchRegistry(await accessOf(options))
  output.record({ models })
  if (models.length === 0) output.line('no state of a run has a name yet: fedsvd model register gives one')
  const rows = models.map((model) => [
    `${model.name}@${model.version}`,
    model.tags.join(', '),
    String(roundNumber(model.round)),
    model.accuracy?.toFixed(4) ?? 'not measured',
    model.runName,
    model.runId,
  ])
  if (rows.length > 0) output.line(table([['version', 'tags', 'round', 'accuracy', 'run', 'identifier'], ...rows]))
}

async function retag(which: Version, tags: readonly string[], options: Options): Promise<void> {
  const access = await accessOf(options)
  const { name, runId, round: counted } = await find(access, which)
  tell(options, await post(access, runId, { name, round: counted, tags }))
}

async function unregister(which: Version, options: Options): Promise<void> {
  const access = await accessOf(options)
  const model = await find(access, which)
  const place = `${encodeURIComponent(model.name)}/${model.version}`
  await askJson(access, 'DELETE', `/v1/runs/${model.runId}/registered-models/${place}`)
  const output = outputFor(options)
  output.record(model)
  output.line(`${model.name}@${model.version} is not in the registry any more`)
}

async function fetchRegistry(access: OperatorAccess): Promise<RegisteredModelView[]> {
  const reply = await askJson(access, 'GET', '/v1/registered-models')
  return parseMessage(registeredModelsSchema, reply, 'the registry of models').models
}

async function post(access: OperatorAccess, runId: string, body: object): Promise<RegisteredModelView> {
  const reply = await askJson(access, 'POST', `/v1/runs/${runId}/registered-models`, body)
  return parseMessage(registeredModelSchema, reply, 'a version of a model')
}

/** @throws FedsvdError STATE_NOT_FOUND */
async function find(access: OperatorAccess, { name, version: number }: Version): Promise<RegisteredModelView> {
  const models = await fetchRegistry(access)
  const found = models.find((model) => model.name === name && model.version === number)
  if (found !== undefined) return found
  const known = models.filter((model) => model.name === name).map((model) => `${name}@${model.version}`)
  throw new FedsvdError('STATE_NOT_FOUND', {
    expected: known.length === 0 ? 'a name of the registry' : `one of ${known.join(', ')}`,
    got: `${name}@${number}`,
    remedy: 'See fedsvd model registry',
  })
}

function tell(options: Options, model: RegisteredModelView): void {
  const output = outputFor(options)
  output.record(model)
  const tags = model.tags.length === 0 ? 'no tags' : model.tags.join(', ')
  output.line(`${model.name}@${model.version}: round ${roundNumber(model.round)} of ${model.runName}, ${tags}`)
}

function modelName(text: string): string {
  const { data } = modelNameSchema.safeParse(text)
  if (data === undefined) throw new InvalidArgumentError('Expected letters and digits, such as spam-filter.')
  return data
}

function tag(text: string, before: readonly string[] = []): readonly string[] {
  if (!modelTagSchema.safeParse(text).success)
    throw new InvalidArgumentError('Expected small letters, digits and dashes, such as production.')
  return collect(text, before)
}

function version(text: string): Version {
  const [, name = '', number = ''] = /^(.+)@([1-9]\d{0,5})$/.exec(text) ?? []
  if (name === '') throw new InvalidArgumentError('Expected a name and a version, such as spam-filter@3.')
  return { name: modelName(name), version: Number(number) }
}
