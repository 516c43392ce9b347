import {
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isSeq,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
} from 'yaml'
import type { ConfigFault } from './faults.ts'

/** What a text holds, and where. */
export interface YamlText {
  readonly value: unknown
  /** Where the key at the end of a path stands, or the nearest one above it that is there. */
  readonly positionOf: (path: readonly PropertyKey[]) => Pick<ConfigFault, 'line' | 'column'>
}

/** Aliases repeat what an anchor names: a few of them could otherwise stand for more than a machine can hold. */
const MOST_ALIASES = 100

/** The parser makes a call for each level, and ends the process where the stack has no room left for another. */
const MOST_LEVELS = 100

/** The parser's own words where they do not help. */
const WORDS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'a key that stands here twice; keep one of the two',
  MULTIPLE_DOCS: 'a second document behind "---"; keep one',
  RESOURCE_EXHAUSTION: 'lists or maps nested too deep',
  TAB_AS_INDENT: 'a tab as indentation; use spaces',
  TAG_RESOLVE_FAILED: 'a tag (a word with "!" before it), which no value here has; leave it out',
  MISSING_CHAR: 'an opening bracket or quotation mark without its closing one, or a missing comma or colon',
}

/** Reads YAML 1.2, which JSON is a part of. Returns its faults where it is none; it never throws. */
export function readYaml(text: string): YamlText | readonly ConfigFault[] {
  const lineCounter = new LineCounter()
  const at = (offset: number): Pick<ConfigFault, 'line' | 'column'> => {
    const { line, col } = lineCounter.linePos(offset)
    return { line, column: col }
  }
  try {
    if (isDeeperThan(MOST_LEVELS, text)) return [{ path: '', message: WORDS.RESOURCE_EXHAUSTION! }]
    const document = parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: true,
      resolveKnownTags: false,
      logLevel: 'error',
      schema: 'core',
    })
    const [first] = [...document.errors, ...document.warnings]
    if (first !== undefined) {
      // One fault of the form makes others behind it: the first is the one to mend.
      return [{ ...at(first.pos[0]), path: '', message: WORDS[first.code] ?? inOwnWords(first.message) }]
    }
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES })
    return { value, positionOf: (path) => at(offsetOf(document, path)) }
  } catch (error) {
    return [{ path: '', message: aliasFault(error) }]
  }
}

/** Whether lists and maps are nested deeper, told from the syntax alone and without recursion. */
function isDeeperThan(levels: number, text: string): boolean {
  let level: readonly CST.Token[] = [...new Parser().parse(text)]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levels) return true
    level = level.flatMap((token) => {
      if (token.type === 'document') return token.value === undefined ? [] : [token.value]
      if (!('items' in token)) return []
      return token.items.flatMap((item) => [item.key, item.value].filter((inner) => inner != null))
    })
  }
  return false
}

function inOwnWords(message: string): string {
  if (/^Flow (sequence|map) in block collection/.test(message))
    return 'a bracket that is not closed, or a line too far to the left'
  return `no YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`
}

function aliasFault(error: unknown): string {
  return `aliases ("*name") that stand for too much or for nothing: ${(error as Error).message}`
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document)
    let next: unknown
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(key))
      offset = startOf(pair?.key) ?? offset
      next = pair?.value
    } else if (isSeq(node)) {
      next = node.items[Number(key)]
      offset = startOf(next) ?? offset
    }
    if (next === undefined || next === null) break
    node = next
  }
  return offset
}

function keyText(key: unknown): string {
  return String(isNode(key) ? key.toJSON() : key)
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined
}
