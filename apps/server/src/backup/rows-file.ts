import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { DatabaseDump, WriteRows } from '../storage/records/index.ts'

/** What a file of rows is told apart by. */
export interface RowsFile {
  readonly bytes: number
  readonly sha256: string
}

/** Writes a dump into a new file, one line for some rows of a table: its name, a tab, a JSON array. */
export async function writeRows(
  file: string,
  dump: (write: WriteRows) => Promise<DatabaseDump>,
): Promise<DatabaseDump & RowsFile> {
  const handle = await open(file, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  try {
    const dumped = await dump(async (table, rows) => {
      const line = Buffer.from(`${table}\t${rows}\n`)
      bytes += line.length
      hash.update(line)
      await handle.writeFile(line)
    })
    await handle.sync()
    return { ...dumped, bytes, sha256: hash.digest('hex') }
  } finally {
    await handle.close()
  }
}

export async function* readRows(file: string): AsyncGenerator<{ readonly table: string; readonly rows: string }> {
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: 0 })) {
    const tab = line.indexOf('\t')
    yield { table: line.slice(0, tab), rows: line.slice(tab + 1) }
  }
}

export function hashOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

export async function hashOfFile(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}
