import { writeStarterCorpus } from '@fedsvd/starter/corpus'
import { DEMO_DECLARED } from './settings.ts'

/** The prepared data of the demo: each client's own file, the public hold-out, and what to tell about them. */
export interface DemoData {
  readonly holdOut: string
  readonly clients: readonly { readonly name: string; readonly file: string; readonly declaredRecords: number }[]
  readonly text: string
}

/** Splits SpamAssassin by mailing list into three unlike clients and a public hold-out, under `folder`. */
export async function prepareDemoData(folder: string): Promise<DemoData> {
  const { holdOut, clients, summary } = await writeStarterCorpus(folder)
  const { dropped } = summary
  const lines = [
    `data      SpamAssassin: ${summary.mails} e-mails, headers stripped, ${dropped.repeated} repeated and ${dropped.empty} empty ones dropped`,
    ...summary.clients.map(
      ({ name, records, classes, description }) =>
        `client    ${name.padEnd(12)} ${String(records).padStart(5)} records, ${percent(classes.spam, records)} spam: ${description}`,
    ),
    `hold-out  ${'public'.padEnd(12)} ${String(summary.holdOut.records).padStart(5)} records, ${percent(summary.holdOut.classes.spam, summary.holdOut.records)} spam`,
  ]
  return {
    holdOut,
    clients: clients.map((client) => ({ ...client, declaredRecords: DEMO_DECLARED[client.name] })),
    text: lines.join('\n'),
  }
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(0)} %`
}
