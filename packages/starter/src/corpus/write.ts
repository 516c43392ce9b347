import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TextRecord } from '@fedsvd/engine/datasets'
import type { StarterClient } from './clients.ts'
import { splitStarterCorpus } from './split.ts'
import { type CorpusSummary, corpusSummary } from './summary.ts'
import { starterCorpusVersion } from './version.ts'

/** Where the parts of the prepared corpus are. Each client process opens its own file only. */
export interface StarterCorpusFiles {
  readonly holdOut: string
  readonly clients: readonly { readonly name: StarterClient['name']; readonly file: string }[]
  readonly summary: CorpusSummary
  /** True when the files were already there, complete and of this version. */
  readonly cached: boolean
}

interface Manifest {
  readonly version: string
  readonly summary: CorpusSummary
  /** SHA-256 of every data file, by name. */
  readonly files: Readonly<Record<string, string>>
}

const HOLD_OUT_FILE = 'hold-out.jsonl'
const MANIFEST_FILE = 'summary.json'
const clientFile = (name: string): string => `client-${name}.jsonl`

/**
 * Writes `hold-out.jsonl`, `client-NAME.jsonl` and `summary.json` into `folder`, which is made if need be. Files that
 * are there, whole and of this version are left as they are, which takes a few milliseconds instead of seconds. The
 * summary comes last and every file by renaming, so an interrupted run is repaired by the next.
 */
export async function writeStarterCorpus(folder: string): Promise<StarterCorpusFiles> {
  const version = starterCorpusVersion()
  const present = await readManifest(folder, version)
  if (present) return located(folder, present.summary, true)

  // The mail parsers are loaded only when they are needed.
  const { loadStarterCorpus } = await import('./load.ts')
  const corpus = await loadStarterCorpus()
  const split = splitStarterCorpus(corpus.records)
  const contents: Record<string, string> = { [HOLD_OUT_FILE]: toJsonl(split.holdOut) }
  for (const { name, records } of split.clients) contents[clientFile(name)] = toJsonl(records)
  const files = Object.fromEntries(Object.entries(contents).map(([name, text]) => [name, sha256(text)]))
  const manifest: Manifest = { version, summary: corpusSummary(corpus, split), files }
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(contents)) await replaceFile(join(folder, name), text)
  await replaceFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`)
  return located(folder, manifest.summary, false)
}

async function readManifest(folder: string, version: string): Promise<Manifest | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')) as Manifest
    if (manifest.version !== version) return undefined
    for (const [name, digest] of Object.entries(manifest.files)) {
      if (sha256(await readFile(join(folder, name))) !== digest) return undefined
    }
    return manifest
  } catch {
    return undefined // absent or damaged: it is written anew
  }
}

function located(folder: string, summary: CorpusSummary, cached: boolean): StarterCorpusFiles {
  const clients = summary.clients.map(({ name }) => ({ name, file: join(folder, clientFile(name)) }))
  return { holdOut: join(folder, HOLD_OUT_FILE), clients, summary, cached }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}.part`
  await writeFile(draft, text)
  await rename(draft, path)
}

function toJsonl(records: readonly TextRecord[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('')
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
