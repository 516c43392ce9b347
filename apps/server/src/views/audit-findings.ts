import type { AuditEntry, AuditFindings } from '@fedsvd/core/protocol'
import type { AuditSearch, Store } from '../storage/records/index.ts'

type Named = Pick<Store, 'clients' | 'operators' | 'runs'>

/** What is asked of the audit log: people know names, the log knows identifiers. */
export interface AuditQuestion extends Omit<AuditSearch, 'actors' | 'objects'> {
  readonly actor?: string | undefined
  readonly object?: string | undefined
}

/** From so many digits on, the beginning of an identifier tells it apart. */
const LEAST_DIGITS = 8
const WITHOUT_A_NAME = ['operator-token', 'anonymous', 'enrolment-tokens']

/** A page of the audit log by who, what, on what and when, with the names of whoever it speaks of. */
export async function findAudit(
  { audit, ...named }: Named & Pick<Store, 'audit'>,
  { actor, object, ...search }: AuditQuestion,
): Promise<AuditFindings> {
  const known = actor === undefined && object === undefined ? [] : await everything(named)
  const found = await audit.search({
    ...search,
    limit: search.limit + 1, // one more, to know whether there is a next page
    ...(actor !== undefined && { actors: fitting(known, actor) }),
    ...(object !== undefined && { objects: fitting(known, object) }),
  })
  const entries = found.slice(0, search.limit)
  const last = entries.at(-1)
  return {
    entries,
    names: await namesIn(entries, named),
    ...(found.length > entries.length && last && { next: last.seq }),
  }
}

type Key = readonly [key: string, name: string]

/** Runs, clients and operators, each as the log names it and as people do. */
async function everything({ clients, operators, runs }: Named): Promise<readonly Key[]> {
  const [allClients, allOperators, allRuns] = await Promise.all([clients.list(), operators.list(), runs.list()])
  return [
    ...allClients.map(({ id, name }): Key => [`client:${id}`, name]),
    ...allOperators.map(({ id, name }): Key => [`operator:${id}`, name]),
    ...allRuns.map(({ manifest }): Key => [`run:${manifest.runId}`, manifest.name]),
  ]
}

/**
 * The keys that a text stands for: whose name it is part of, or whose identifier it is or begins. Never part of an
 * identifier alone: "ada" is somebody, not three hexadecimal digits.
 */
function fitting(known: readonly Key[], text: string): readonly string[] {
  const wanted = text.trim().toLowerCase()
  const fits = ([key, name]: Key): boolean => {
    const id = key.slice(key.indexOf(':') + 1)
    return (
      name.toLowerCase().includes(wanted) ||
      key === wanted ||
      (wanted.length >= LEAST_DIGITS && id.startsWith(wanted.slice(wanted.indexOf(':') + 1)))
    )
  }
  return [...known.filter(fits).map(([key]) => key), ...WITHOUT_A_NAME.filter((name) => name.includes(wanted)), wanted]
}

async function namesIn(
  entries: readonly AuditEntry[],
  { clients, operators, runs }: Named,
): Promise<AuditFindings['names']> {
  const keys = new Set(entries.flatMap(({ actor, object }) => [actor, object]))
  const idsOf = (kind: string): readonly string[] =>
    [...keys].flatMap((key) => (key.startsWith(`${kind}:`) ? [key.slice(kind.length + 1)] : []))
  const [clientNames, allOperators, found] = await Promise.all([
    clients.names(idsOf('client')),
    idsOf('operator').length === 0 ? [] : operators.list(),
    Promise.all(idsOf('run').map((runId) => runs.find(runId))),
  ])
  return Object.fromEntries([
    ...[...clientNames].map(([id, name]): Key => [`client:${id}`, name]),
    ...allOperators.map(({ id, name }): Key => [`operator:${id}`, name]).filter(([key]) => keys.has(key)),
    ...found.flatMap((run): readonly Key[] => (run ? [[`run:${run.manifest.runId}`, run.manifest.name]] : [])),
  ])
}
