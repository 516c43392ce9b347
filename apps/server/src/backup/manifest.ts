import { FedsvdError, writtenByNewer } from '@fedsvd/core/errors'
import { issueInWords } from '@fedsvd/core/protocol'
import { z } from 'zod'
import { auditHash } from '../storage/records/index.ts'

/** The layout of a backup folder; one that changes counts up. */
export const BACKUP_FORMAT = 1

export const MANIFEST_FILE = 'backup.json'
export const ROWS_FILE = 'database.rows'

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const name = z.string().regex(/^\w{1,100}$/)
/** Beside the database and the objects, a backup has files of the state folder, by name. */
const fileName = z.string().regex(/^[a-z][a-z0-9.-]{0,40}$/)

const manifestSchema = z.strictObject({
  format: z.literal(BACKUP_FORMAT),
  createdAt: z.iso.datetime(),
  /** The release of fedsvd that wrote it. */
  release: z.string().max(40),
  database: z.strictObject({
    migrations: z.array(z.strictObject({ name, checksum: sha256Hex })).min(1),
    tables: z.array(z.strictObject({ name, rows: count })),
    sequences: z.array(z.strictObject({ name, value: count })),
    bytes: count,
    sha256: sha256Hex,
  }),
  objects: z.array(sha256Hex),
  files: z.array(z.strictObject({ name: fileName, sha256: sha256Hex })),
})
export type BackupManifest = z.infer<typeof manifestSchema>

/** The text of the manifest, behind whose last line stands the hash of it. */
export function encodeManifest(manifest: BackupManifest): string {
  const text = `${JSON.stringify(manifest, null, 1)}\n`
  return `${text}${auditHash(text)}\n`
}

/** @throws FedsvdError BACKUP_INVALID, WRITTEN_BY_NEWER */
export function decodeManifest(text: string): BackupManifest {
  const end = text.trimEnd().lastIndexOf('\n') + 1
  const json = parsed(text.slice(0, end))
  if (typeof json?.format === 'number' && json.format > BACKUP_FORMAT) {
    throw writtenByNewer('a backup', BACKUP_FORMAT, `format ${json.format}`)
  }
  if (auditHash(text.slice(0, end)) !== text.slice(end).trim()) throw invalid('another text in backup.json')
  const result = manifestSchema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw invalid(`${issue?.path.join('.')}: ${issue && issueInWords(issue, json)} in backup.json`)
}

function parsed(text: string): { readonly format?: unknown } | undefined {
  try {
    return JSON.parse(text) as { format?: unknown }
  } catch {
    return undefined
  }
}

export function invalid(got: string): FedsvdError {
  return new FedsvdError('BACKUP_INVALID', {
    expected: 'a backup as fedsvd backup wrote it',
    got,
    remedy: 'Copy it anew from where it was kept, or use another one; nothing was restored.',
  })
}
