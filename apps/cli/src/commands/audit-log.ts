import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { AUDIT_GENESIS, type AuditEntry, type AuditVerdict, followAudit } from '@fedsvd/core/protocol'
import { Command, InvalidArgumentError } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { fetchAuditLog, type OperatorAccess } from '../operator-client.ts'
import { example, positiveInteger } from '../options.ts'
import { outputFor, table } from '../output.ts'

const BATCH = 1000

interface ShowOptions extends AccessOptions {
  readonly after: number
  readonly limit: number
  readonly json?: boolean
}

interface Anchor {
  readonly seq: number
  readonly hash: string
}

interface VerifyOptions extends AccessOptions {
  readonly anchor?: Anchor
  readonly json?: boolean
}

/** `fedsvd audit-log`: who did what at a coordinator. */
export function auditLogCommand(): Command {
  const command = new Command('audit-log')
  command.addCommand(
    withAccess(new Command('show').description('Show entries, oldest first.'))
      .option('--after <seq>', 'show what comes after this entry', sequence, 0)
      .option('--limit <count>', 'show at most so many', positiveInteger, 100)
      .option('--json', 'print each entry as a line of JSON')
      .addHelpText('after', example('fedsvd audit-log show --coordinator http://127.0.0.1:7373 --after 200'))
      .action(show),
  )
  command.addCommand(
    withAccess(
      new Command('verify').description(
        'Recompute the hash chain here, from the first entry; exit code 1 when it is broken.',
      ),
    )
      .option('--anchor <seq:hash>', 'an entry noted earlier that must still be there: shows a log cut short', anchor)
      .option('--json', 'print the verdict as JSON')
      .addHelpText(
        'after',
        example(
          'fedsvd audit-log verify --coordinator http://127.0.0.1:7373 --anchor 200:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        ),
      )
      .action(verify),
  )
  return command
}

async function show(options: ShowOptions): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const entries: AuditEntry[] = []
  while (entries.length < options.limit) {
    const after = entries.at(-1)?.seq ?? options.after
    const page = await fetchAuditLog(access, after, Math.min(BATCH, options.limit - entries.length))
    if (page.length === 0) break
    entries.push(...page)
  }
  for (const entry of entries) output.record(entry)
  const rows = entries.map(({ seq, at, actor, action, object, detail }) => [
    seq,
    at,
    actor,
    action,
    object,
    JSON.stringify(detail),
  ])
  output.line(table([['seq', 'at', 'actor', 'action', 'object', 'detail'], ...rows]))
}

async function verify(options: VerifyOptions): Promise<void> {
  const output = outputFor(options)
  const verdict = await verifyHere(await accessOf(options), options.anchor)
  output.record(verdict)
  if (verdict.fault !== undefined) {
    throw new FedsvdError('AUDIT_DAMAGED', {
      expected: `entry ${verdict.fault.seq} of the audit log as it was written`,
      got: verdict.fault.reason,
      remedy: `The ${verdict.entries} entries before it are intact; compare with a backup of the database`,
    })
  }
  output.line(`${verdict.entries} entries, chain unbroken; to notice a log cut short later, note the anchor`)
  output.line(`${verdict.entries}:${verdict.head}`)
}

/** Trusts nothing but the entries themselves and the anchor. */
async function verifyHere(access: OperatorAccess, noted: Anchor | undefined): Promise<AuditVerdict> {
  let verdict: AuditVerdict = { intact: true, entries: 0, head: AUDIT_GENESIS }
  for (;;) {
    const page = await fetchAuditLog(access, verdict.entries, BATCH)
    const isChanged = page.some(({ seq, hash }) => seq === noted?.seq && hash !== noted.hash)
    verdict = followAudit(verdict, page, (text) => createHash('sha256').update(text).digest('hex'))
    if (verdict.fault === undefined && isChanged) return differs(verdict, noted!, 'it is not the one that was noted')
    if (verdict.fault !== undefined) return verdict
    if (page.length < BATCH) break
  }
  return noted !== undefined && noted.seq > verdict.entries
    ? differs(verdict, noted, `the log ends at entry ${verdict.entries}`)
    : verdict
}

function differs({ entries, head }: AuditVerdict, { seq }: Anchor, reason: string): AuditVerdict {
  return { intact: false, entries, head, fault: { seq, reason } }
}

function sequence(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected 0 or a positive integer.')
  return value
}

function anchor(text: string): Anchor {
  const match = /^([1-9]\d*):([0-9a-f]{64})$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Expected seq:hash, as "audit-log verify" prints it.')
  return { seq: Number(match[1]), hash: match[2]! }
}
