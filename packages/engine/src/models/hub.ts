import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import { FedsvdError } from '@fedsvd/core/errors'
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub'
import { isCommit, parseModelName } from './model-name.ts'

/** A hub of checkpoints, such as https://huggingface.co or a mirror of it inside an organisation. */
export interface HubSettings {
  readonly url: string
  /** For repositories that are not public. */
  readonly token?: string | undefined
}

export interface FetchedCheckpoint {
  /** `owner/name@commit`. */
  readonly name: string
  readonly folder: string
}

/** What a checkpoint is made of; nothing else of a repository is fetched. */
const WANTED =
  /^(config|tokenizer|tokenizer_config)\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/
const DEFAULT_REVISION = 'main'
const PARTIAL = '.partial'

/**
 * Fetches a checkpoint of a hub into `<models>/<owner>/<name>@<commit>`. A branch or a tag is resolved to its commit first.
 *
 * A download that was interrupted goes on where it stopped. A file gets its name only when its size and its hash are those
 * that the hub lists for the commit (SHA-256 of large files, Git's SHA-1 of small ones), and is then never fetched again.
 *
 * @throws FedsvdError HUB_UNAVAILABLE where the hub does not answer or has no such repository, CHECKPOINT_INVALID where
 *   what came is not what the hub lists
 */
export async function fetchCheckpoint(name: string, models: string, hub: HubSettings): Promise<FetchedCheckpoint> {
  const { repository, revision = DEFAULT_REVISION } = parseModelName(name)
  const access = { hubUrl: hub.url.replace(/\/$/, ''), ...(hub.token && { accessToken: hub.token }) }
  const commit = isCommit(revision) ? revision : await commitOf(repository, revision, access)
  const folder = join(models, `${repository}@${commit}`)
  await mkdir(folder, { recursive: true })
  for (const entry of await wantedFiles(repository, commit, access)) {
    await fetchFile(entry, { repository, commit, folder, access })
  }
  return { name: `${repository}@${commit}`, folder }
}

interface Access {
  readonly hubUrl: string
  readonly accessToken?: string
}

async function commitOf(repository: string, revision: string, access: Access): Promise<string> {
  const { sha } = await asking(
    access,
    `the revision ${revision} of ${repository}`,
    modelInfo({ name: repository, revision, additionalFields: ['sha'], ...access }),
  )
  if (isCommit(sha)) return sha
  throw unavailable(access, `a commit for ${repository}@${revision}`, String(sha))
}

async function wantedFiles(repository: string, commit: string, access: Access): Promise<readonly ListFileEntry[]> {
  const listing = listFiles({ repo: repository, revision: commit, ...access })
  const files = await asking(access, `the files of ${repository}@${commit}`, collect(listing))
  const wanted = files.filter(({ type, path }) => type === 'file' && WANTED.test(path))
  // config.json last: a folder without it is no checkpoint yet
  return wanted.sort((a, b) => Number(a.path === 'config.json') - Number(b.path === 'config.json'))
}

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const entry of entries) all.push(entry)
  return all
}

interface Place {
  readonly repository: string
  readonly commit: string
  readonly folder: string
  readonly access: Access
}

async function fetchFile(entry: ListFileEntry, { repository, commit, folder, access }: Place): Promise<void> {
  const path = join(folder, entry.path)
  if ((await sizeOf(path)) === entry.size) return
  const partial = `${path}${PARTIAL}`
  const have = Math.min((await sizeOf(partial)) ?? 0, entry.size)
  const what = `the file ${entry.path} of ${repository}@${commit}`
  if (have < entry.size) {
    const source = { repo: repository, path: entry.path, revision: commit, xet: false, ...access }
    const blob = await asking(access, what, downloadFile(source))
    if (blob === null) throw unavailable(access, what, 'no such file')
    const rest = blob.slice(have, entry.size).stream() as ReadableStream
    await asking(
      access,
      what,
      pipeline(Readable.fromWeb(rest), createWriteStream(partial, { flags: have > 0 ? 'a' : 'w' })),
    )
  } else if (entry.size === 0) {
    await writeFile(partial, '')
  }
  const expected = entry.lfs?.oid ?? entry.oid
  const found = await hashOf(partial, entry)
  if (found !== expected) {
    await rm(partial, { force: true })
    throw new FedsvdError('CHECKPOINT_INVALID', {
      expected: `${what} with the hash ${expected}`,
      got: found,
      remedy: 'What came was thrown away; try again.',
    })
  }
  await rename(partial, path)
}

/** SHA-256 of a large file; of a small one Git's object name, SHA-1 over a header and the bytes. */
async function hashOf(path: string, { lfs, size }: ListFileEntry): Promise<string> {
  const hash = createHash(lfs ? 'sha256' : 'sha1')
  if (!lfs) hash.update(`blob ${size}\0`)
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

async function sizeOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    ({ size }) => size,
    () => undefined,
  )
}

async function asking<T>(access: Access, what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    throw unavailable(access, what, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function unavailable({ hubUrl }: Access, expected: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError(
    'HUB_UNAVAILABLE',
    {
      expected: `${expected} from ${hubUrl}`,
      got,
      remedy:
        'Check the name, the address and the token; what has come so far is kept. Or copy the checkpoint by hand.',
    },
    { cause },
  )
}
