import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Block, blocksOf, stepsOf } from './blocks.ts'
import { Terminal, type TerminalOptions } from './terminal.ts'

/**
 * Does what a page says, in one folder: writes its files (blocks with `file=name`) and types the commands of its
 * transcripts (`console`), those with `terminal=name` into a shell of that name. In a transcript that `stays` the last
 * command runs on, behind what the page shows. Whatever still runs at the end is ended.
 *
 * @throws Error at the first command that does something else, with the line of its block
 */
export async function tryPage(markdown: string, options: TerminalOptions): Promise<void> {
  const terminals = new Map<string, Terminal>()
  try {
    for (const block of blocksOf(markdown)) {
      const { file, terminal: name = 'first' } = block.attributes
      if (file !== undefined) await writeFile(join(options.folder, file), block.text)
      else if (block.language === 'console') {
        const terminal = terminals.get(name) ?? new Terminal(options)
        terminals.set(name, terminal)
        await type(block, terminal)
      }
    }
  } finally {
    await Promise.all(Array.from(terminals.values(), (terminal) => terminal[Symbol.asyncDispose]()))
  }
}

async function type({ attributes, line, text }: Block, terminal: Terminal): Promise<void> {
  const steps = stepsOf(text)
  for (const [index, step] of steps.entries()) {
    const stays = attributes.stays !== undefined && index === steps.length - 1
    const fault = await terminal.run(step, stays)
    if (fault !== undefined) {
      throw new Error(`line ${line}: $ ${step.command}\nexpected\n${step.expected.join('\n')}\ngot: ${fault}`)
    }
  }
}
