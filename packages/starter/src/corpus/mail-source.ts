import { firstAddress, type Mail } from './read-mail.ts'

/** Tags that lists put before a subject, for copies that did not come through the list itself. */
const LIST_OF_TAG: Readonly<Record<string, string>> = {
  ilug: 'ilug',
  'razor-users': 'razor-users',
  satalk: 'spamassassin-talk',
  sadev: 'spamassassin-devel',
  sacvs: 'spamassassin-commits',
  spambayes: 'spambayes',
  zzzzteana: 'zzzzteana',
}

/**
 * The channel that a mail came through, read from its headers before they are dropped:
 * `list:NAME` for a mailing list, `feed:NAME` for an entry of a news feed turned into mail, and else `sender:DOMAIN`.
 */
export function sourceOf({ headers }: Pick<Mail, 'headers'>): string {
  const header = (name: string): string => headers.get(name)?.toLowerCase() ?? ''
  const list =
    /<([\w-]+)\./.exec(header('list-id'))?.[1] ??
    /([\w-]+)@/.exec(header('x-beenthere'))?.[1] ??
    /list ([\w-]+)@/.exec(header('mailing-list'))?.[1] ??
    /contact ([\w-]+)-help@/.exec(header('mailing-list'))?.[1] ??
    /([\w-]+)@/.exec(header('x-mailing-list'))?.[1] ??
    LIST_OF_TAG[/\[([\w-]+)\]/.exec(header('subject'))?.[1] ?? '']
  if (list) return `list:${list}`
  const { name, address } = firstAddress(headers.get('from') ?? '')
  if (address.startsWith('rssfeeds@')) return `feed:${name.toLowerCase() || 'unnamed'}`
  return `sender:${/@([\w.-]+\w)/.exec(address)?.[1] ?? 'unknown'}`
}
