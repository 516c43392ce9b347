import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from '@huggingface/hub'
import { makeFolder } from '../files/index.ts'
import { fetchByEnvironment, type ProxyEnvironment } from '../network/index.ts'
import { isCommit, parseModelName } from './model-name.ts'

/** A hub of checkpoints, such as https://huggingface.co or a mirror of it inside an organisation. */
export interface HubSettings {
  readonly url: string
  /** For repositories that are not public. */
  readonly token?: string | undefined
  /** How much is asked for at a time, and so the most that an interruption costs; default: 64 MiB. */
  readonly partBytes?: number
  /** Where proxies are named; default: the environment of the process. */
  readonly env?: ProxyEnvironment
}

export interface FetchedCheckpoint {
  /** `owner/name@commit`. */
  readonly name: string
  readonly folder: string
}

/** What a checkpoint is made of; nothing else of a repository is fetched. */
const WANTED =
  /^(config|tokenizer|tokenizer_config|special_tokens_map)\.json$|^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/
const DEFAULT_REVISION = 'main'
const PARTIAL = '.partial'
const PART_BYTES = 2 ** 26

/**
 * Fetches a checkpoint of a hub into `<models>/<owner>/<name>@<commit>`. A branch or a tag is resolved to its commit
 * first.
 *
 * A download that was interrupted goes on where it stopped. A file gets its name only when its size and its hash are
 * those that the hub lists for the commit (SHA-256 of large files, Git's SHA-1 of small ones), and is then never
 * fetched again.
 *
 * @throws FedsvdError HUB_UNAVAILABLE where the hub does not answer or has no such repository, CHECKPOINT_INVALID where
 *   what came is not what the hub lists, CONFIG_INVALID for an address of the hub that is none
 */
export async function fetchCheckpoint(name: string, models: string, hub: HubSettings): Promise<FetchedCheckpoint> {
  requireAddress(hub.url)
  const { repository, revision = DEFAULT_REVISION } = parseModelName(name)
  const access = {
    hubUrl: hub.url.replace(/\/$/, ''),
    fetch: fetchByEnvironment(hub.env),
    ...(hub.token && { accessToken: hub.token }),
  }
  const commit = isCommit(revision) ? revision : await commitOf(repository, revision, access)
  const folder = join(models, `${repository}@${commit}`)
  makeFolder(folder)
  for (const entry of await wantedFiles(repository, commit, access)) {
    await fetchFile(entry, { repository, commit, folder, access, partBytes: hub.partBytes ?? PART_BYTES })
  }
  return { name: `${repository}@${commit}`, folder }
}

function requireAddress(url: string): void {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'the address of a hub, such as https://huggingface.co',
    got: 'one that does not begin with http:// or https://',
    remedy: 'Correct --hub or FEDSVD_HUB.',
  })
}

interface Access {
  readonly hubUrl: string
  readonly fetch: typeof fetch
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
  readonly partBytes: number
}

async function fetchFile(
  entry: ListFileEntry,
  { repository, commit, folder, access, partBytes }: Place,
): Promise<void> {
  const path = join(folder, entry.path)
  if ((await sizeOf(path)) === entry.size) return
  const partial = `${path}${PARTIAL}`
  const what = `the file ${entry.path} of ${repository}@${commit}`
  const source = { repo: repository, path: entry.path, revision: commit, xet: false, ...access }
  const blob = await asking(access, what, downloadFile(source))
  if (blob === null) throw unavailable(access, what, 'no such file')
  await using file = await open(partial, 'a')
  let have = Math.min((await file.stat()).size, entry.size)
  while (have < entry.size) {
    const part = await asking(access, what, blob.slice(have, Math.min(have + partBytes, entry.size)).arrayBuffer())
    if (part.byteLength === 0) throw unavailable(access, what, 'an end before its time')
    await file.appendFile(new Uint8Array(part))
    have += part.byteLength
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
    const told = cause instanceof Error ? cause.message.replace(/\.? URL: .*/s, '') : String(cause)
    const got = systemFault(cause)?.detail.got ?? told
    throw unavailable(access, what, got, cause)
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
