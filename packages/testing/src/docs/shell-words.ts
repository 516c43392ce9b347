/** The words of a simple command as a shell splits them: quotes and `\` understood, a comment left out. */
export function shellWords(command: string): string[] {
  const words: string[] = []
  const word = /(?:\s|\\\n)*(#.*$|(?:\\[\s\S]|'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"\\])+)/gy
  for (const [, text = ''] of command.matchAll(word)) {
    if (text.startsWith('#')) break
    words.push(
      text.replaceAll(
        /\\\n|\\([\s\S])|'([^']*)'|"((?:\\.|[^"\\])*)"/g,
        (_, escaped, single, double) => escaped ?? single ?? double ?? '',
      ),
    )
  }
  return words
}

/**
 * The arguments of each `fedsvd` in a line of a page: behind a prompt, `npx`, settings of the environment and other
 * commands of the line, without what is redirected.
 */
export function fedsvdCommands(line: string): string[][] {
  return line.split(/&&|\|\||[|;]|\$\(/).flatMap((command) => {
    const words = shellWords(command.replace(/^\s*\$ /, '').replace(/\)\s*$/, ''))
    const first = words.findIndex((word) => !/^[A-Z_]+=/.test(word) && word !== 'npx' && word !== 'exec')
    if (words[first] !== 'fedsvd') return []
    const end = words.findIndex((word) => /^\d?[<>](?![\w-]+>)|^&/.test(word))
    return [words.slice(first + 1, end === -1 ? undefined : end)]
  })
}
