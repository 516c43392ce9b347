/** A fenced block of a page. */
export interface Block {
  /** First word behind the fence, such as `console`; empty where there is none. */
  readonly language: string
  /** Further words behind the fence, `name=value`; a word without a value is `true`. */
  readonly attributes: Readonly<Record<string, string>>
  /** Line of the fence in its page, counted from 1. */
  readonly line: number
  readonly text: string
}

/** The fenced blocks of a page in Markdown, in its order. */
export function blocksOf(markdown: string): Block[] {
  return Array.from(markdown.matchAll(/^```([^\n`]*)\n([\s\S]*?)^```$/gm), ({ index, 1: info = '', 2: text = '' }) => {
    const [language = '', ...words] = info.trim().split(/\s+/)
    const attributes = Object.fromEntries(
      words.map((word) => word.split('=')).map(([name, value = 'true']) => [name, value]),
    )
    return { language, attributes, line: markdown.slice(0, index).split('\n').length, text }
  })
}

/** A command of a transcript and what it prints. */
export interface Step {
  readonly command: string
  readonly expected: readonly string[]
}

/** The commands behind `$ ` of a transcript, each with the lines under it; a line that ends with `\` goes on. */
export function stepsOf(text: string): Step[] {
  const steps: { command: string; expected: string[] }[] = []
  let open = false
  for (const line of text.trimEnd().split('\n')) {
    const last = steps.at(-1)
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), expected: [] })
    else if (last === undefined) throw new Error(`expected a transcript to begin with "$ ", got ${line}`)
    else if (open) last.command += `\n${line}`
    else last.expected.push(line)
    open = line.endsWith('\\') && (open || line.startsWith('$ '))
  }
  return steps
}
