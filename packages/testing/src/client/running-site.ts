import { type ClientConfigInput, type ClientEvent, type ClientNode, startClient } from '@fedsvd/client'
import type { ReleaseClock } from '@fedsvd/client/release'
import type { Transport } from '@fedsvd/client/transport'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { fakeEngine, type OnLot } from './fake-engine.ts'
import { letters, sampleSite } from './site.ts'

export interface SiteOptions extends Partial<ClientConfigInput> {
  readonly folder: string
  readonly transport: Transport
  readonly records?: number
  readonly onLot?: OnLot
  /** Called for each text that is tokenised. */
  readonly onText?: (text: string) => void | Promise<void>
  readonly source?: RandomSource
  readonly lotSource?: RandomSource
  readonly releaseClock?: ReleaseClock
  /** Of the engine: what every record contributes, all zeros. */
  readonly silent?: boolean
}

/** A client of a test, with all that it told its own site. */
export interface RunningSite extends AsyncDisposable {
  readonly node: ClientNode
  readonly events: readonly ClientEvent[]
  /** The first event of a kind, now or soon. */
  told<K extends ClientEvent['event']>(kind: K, nth?: number): Promise<Extract<ClientEvent, { event: K }>>
}

/** Starts a client on a fake engine. */
export async function startSite({
  folder,
  transport,
  onLot,
  onText,
  source,
  lotSource,
  releaseClock,
  silent,
  ...settings
}: SiteOptions): Promise<RunningSite> {
  const events: ClientEvent[] = []
  const watchers = new Set<() => void>()
  const node = await startClient(sampleSite(folder, transport.coordinator, settings), {
    transport,
    source,
    lotSource,
    releaseClock,
    tokenizer: {
      ...letters,
      encode: async (text, most) => {
        await onText?.(text)
        return await letters.encode(text, most)
      },
    },
    engineFor: async (manifest: RunManifest) => fakeEngine(manifest.adapter, onLot, { contributes: silent !== true }),
    onEvent: (event) => {
      events.push(event)
      for (const look of watchers) look()
    },
  })
  return {
    node,
    events,
    told: (kind, nth = 1) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no event "${kind}"; told ${JSON.stringify(events)}`)), 20_000)
        const look = (): void => {
          const found = events.filter(({ event }) => event === kind)[nth - 1]
          if (found === undefined) return
          clearTimeout(late)
          watchers.delete(look)
          resolve(found as never)
        }
        watchers.add(look)
        look()
      }),
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  }
}
