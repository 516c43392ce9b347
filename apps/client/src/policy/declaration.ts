import type { SiteUnit } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Task } from '@fedsvd/core/lora'
import { type RunManifest, resolveManifest } from '@fedsvd/core/protocol'

/**
 * What a site says of its data, by hand and once. Offers are judged by this and never by the records, so a change of
 * one record never changes an answer.
 */
export interface Declaration {
  /** A public constant in place of the true number of records. */
  readonly records: number
  /** The labels that the records have; absent: not told, and records of other labels are left out of a run. */
  readonly labels?: readonly string[] | undefined
  /** What the columns that the site named make of a row. */
  readonly task: Task
  /** Whose presence the site's budget hides. */
  readonly unit: SiteUnit
}

/**
 * Refuses a run that is not for data of this kind.
 *
 * @throws FedsvdError CONFIG_INVALID (another task), LABEL_UNKNOWN (other labels than the declared ones)
 */
export function requireDeclaredKind(manifest: RunManifest, site: Declaration): void {
  const { task, labels } = resolveManifest(manifest)
  if (task !== site.task) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `records for ${task}, which this run is for`,
      got: `records for ${site.task}`,
      remedy: 'Name the task and the columns of the records when the client is started.',
    })
  }
  if (site.labels === undefined || labels.length === 0 || sameSet(labels, site.labels)) return
  throw new FedsvdError('LABEL_UNKNOWN', {
    expected: `the labels that this site declared: ${site.labels.join(', ')}`,
    got: labels.join(', '),
    remedy: 'Open the run with these labels, or declare others.',
  })
}

function sameSet(some: readonly string[], others: readonly string[]): boolean {
  const set = new Set(others)
  return some.length === set.size && some.every((label) => set.has(label))
}
