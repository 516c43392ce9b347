import { FedsvdError } from '@fedsvd/core/errors'

/**
 * Letters, digits, dots, dashes and underscores; one slash between an owner and a name; a revision after an at sign.
 */
const NAME = /^(?<repository>[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)?)(?:@(?<revision>[A-Za-z0-9][\w.-]*))?$/
const COMMIT = /^[0-9a-f]{40}$/

/** The name of a checkpoint: a folder below the model folder, or `owner/name@revision` on a hub. */
export interface ModelName {
  readonly repository: string
  /** A commit, a branch or a tag. */
  readonly revision?: string
}

/**
 * Takes a model's name apart. Names come from other machines, so that none leads out of the model folder.
 *
 * @throws FedsvdError CONFIG_INVALID
 */
export function parseModelName(name: string): ModelName {
  const { repository, revision } = NAME.exec(name)?.groups ?? {}
  if (repository !== undefined && isModelName(name)) return { repository, ...(revision !== undefined && { revision }) }
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a model name such as starter, my-bert or owner/name@commit',
    got: JSON.stringify(name).slice(0, 200),
    remedy: 'Name a folder below the model folder, or a repository of the hub; paths are not names.',
  })
}

/** Whether a name is one that a model can have. */
export function isModelName(name: string): boolean {
  return NAME.test(name) && !name.includes('..')
}

export function isCommit(revision: string | undefined): boolean {
  return revision !== undefined && COMMIT.test(revision)
}
