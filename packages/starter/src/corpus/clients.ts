import { createHash } from 'node:crypto'
import type { StarterRecord } from './load.ts'

/** One of the three sites of the starter federation. */
export interface StarterClient {
  readonly name: 'open-source' | 'community' | 'newsdesk'
  readonly description: string
  /** Share of the spam that came through no list. The shares differ so that the clients' mixes of classes do. */
  readonly spamShare: number
  /** Mailing lists of this site. The last site also takes every feed, newsletter and list not named here. */
  readonly lists: readonly string[]
}

export const STARTER_CLIENTS: readonly StarterClient[] = [
  {
    name: 'open-source',
    description: 'a software foundry: lists of developers and Linux users',
    spamShare: 0.2,
    lists: [
      'ilug rpm-zzzlist razor-users spambayes exmh-users exmh-workers secprog webdev iiu vulnwatch avfs dcms-dev',
      'spamassassin-talk spamassassin-devel spamassassin-commits spamassassin-sightings sitescooper-talk webmake-talk',
      'freebsd-ports freebsd-stable',
    ].flatMap((names) => names.split(' ')),
  },
  {
    name: 'community',
    description: 'a discussion host: lists about news, politics and oddities',
    spamShare: 0.3,
    lists: ['fork', 'zzzzteana', 'cypherpunks', 'social', '0xdeadbeef', 'irregulars', 'crackmice', 'board'],
  },
  {
    name: 'newsdesk',
    description: 'a newsroom: feeds, newsletters and announcements',
    spamShare: 0.5,
    lists: [],
  },
]

const CLIENT_OF_LIST = new Map(
  STARTER_CLIENTS.flatMap(({ name, lists }) => lists.map((list) => [`list:${list}`, name])),
)

/**
 * The site that a record belongs to, from nothing but its source and label. A list or feed is wholly at one site. Spam
 * without a list is dealt by the hash of its sender's domain, so that one sender's campaigns stay together.
 */
export function clientOf({ source, label }: Pick<StarterRecord, 'source' | 'label'>): StarterClient['name'] {
  const newsdesk = STARTER_CLIENTS.at(-1)!.name
  if (label === 'ham' || !source.startsWith('sender:')) return CLIENT_OF_LIST.get(source) ?? newsdesk
  let point = createHash('sha256').update(source).digest().readUInt32LE() / 2 ** 32
  for (const { name, spamShare } of STARTER_CLIENTS) {
    if (point < spamShare) return name
    point -= spamShare
  }
  return newsdesk
}
