/** How far from the end a footer can begin. */
const FOOTER_LINES = 16

const SEPARATOR = /^\s*(?:[_=~*-]{5,}.*|-- ?)$/
const MENTIONS_A_LIST =
  /mailing list|\/listinfo\/|\(un\)subscription|yahoo! groups|egroups\.com|yahoogroups\.com|sf\.net email is sponsored|because you subscribed/i
const LIST_LINE =
  /^\s*(?:https?:\/\/\S+\/listinfo\/\S*|to unsubscribe from this group.*|\S+-unsubscribe@\S+|your use of yahoo! groups is subject to.*)\s*$/i
const QUOTED = /^\s*>/
/** The two lines that a feed-to-mail gateway puts above each entry. */
const FEED_HEADING = /^\s*URL: .*\n(?:Date: .*\n)?/

/**
 * A body without what only names the channel it came through: the footers that list managers append (Mailman, Yahoo!
 * Groups, SourceForge and its sponsors) and the heading of a feed gateway. Footers stand on footers, so this repeats
 * until none is left. Quoted footers inside a reply stay.
 */
export function withoutBoilerplate(body: string): string {
  const lines = body.replace(FEED_HEADING, '').trimEnd().split('\n')
  for (let cut = footerStart(lines); cut >= 0; cut = footerStart(lines)) {
    lines.length = cut
    while (lines.at(-1)?.trim() === '') lines.pop()
  }
  return lines.join('\n').trim()
}

/**
 * Where the last footer begins, or -1: a line that is one by itself, or a rule with the name of a list on or below it.
 * A rule at the very end closes a footer and opens none.
 */
function footerStart(lines: readonly string[]): number {
  const last = lines.length - 1
  if (last < 0) return -1
  if (LIST_LINE.test(lines[last]!)) return last
  for (let i = last; i >= Math.max(0, last - FOOTER_LINES); i--) {
    if (i === last || !SEPARATOR.test(lines[i]!)) continue
    const block = lines.slice(i).filter((line) => !QUOTED.test(line))
    return block.some((line) => MENTIONS_A_LIST.test(line)) ? i : -1
  }
  return -1
}
