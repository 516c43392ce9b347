import type { CommandWords, OptionWords } from './words.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** A script by which a shell completes the commands, options and values of `fedsvd`. */
export function completionScript(shell: Shell, commands: readonly CommandWords[]): string {
  return { bash, zsh, fish }[shell](commands)
}

const words = (list: readonly { readonly word: string }[]): string => list.map(({ word }) => word).join(' ')

/** Cases of `path` that set what may follow; both shells understand them. */
function cases(commands: readonly CommandWords[]): string {
  return commands
    .map(
      ({ path, subcommands, options }) =>
        `    '${path}') subcommands='${words(subcommands)}'; options='${words(options)}' ;;`,
    )
    .join('\n')
}

/** Cases of `path previous` for options with few values, and of those that name files. */
function valueCases(commands: readonly CommandWords[]): string {
  const all = commands.flatMap(({ path, options }) => options.map((option) => ({ path, option })))
  const lines = [
    ...all
      .filter(({ option }) => option.choices.length > 0)
      .map(({ path, option }) => `    '${path} ${option.word}') values='${option.choices.join(' ')}' ;;`),
    ...unique(all.filter(({ option }) => option.takesFile && option.choices.length === 0)).map(
      (word) => `    *' ${word}') files=1 ;;`,
    ),
    ...unique(all.filter(({ option }) => option.takesValue && !option.takesFile && option.choices.length === 0)).map(
      (word) => `    *' ${word}') free=1 ;;`,
    ),
  ]
  return lines.join('\n')
}

function unique(all: readonly { readonly option: OptionWords }[]): readonly string[] {
  return [...new Set(all.map(({ option }) => option.word))]
}

/** Follows the words before the cursor down the tree of commands; those that name no subcommand are left out. */
function descend(commands: readonly CommandWords[]): string {
  const known = commands.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `case "\${path:+$path }$word" in ${known.join('|')}) path="\${path:+$path }$word" ;; esac`
}

function bash(commands: readonly CommandWords[]): string {
  return `# bash completion of fedsvd: source <(fedsvd completion bash)
_fedsvd() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path='' word subcommands='' options='' values='' files='' free=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    ${descend(commands)}
  done
  case "$path $previous" in
${valueCases(commands)}
  esac
  case "$path" in
${cases(commands)}
  esac
  COMPREPLY=()
  if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [ -n "$files" ]; then COMPREPLY=($(compgen -f -- "$current"))
  elif [ -n "$free" ]; then return 0
  elif [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current"))
  elif [ -n "$subcommands" ]; then COMPREPLY=($(compgen -W "$subcommands" -- "$current"))
  else COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _fedsvd fedsvd
`
}

function zsh(commands: readonly CommandWords[]): string {
  return `#compdef fedsvd
# zsh completion of fedsvd: fedsvd completion zsh > "\${fpath[1]}/_fedsvd"
_fedsvd() {
  local current="\${words[CURRENT]}" previous="\${words[CURRENT-1]}"
  local path_='' word subcommands='' options='' values='' files='' free=''
  for word in "\${(@)words[2,CURRENT-1]}"; do
    ${descend(commands).replaceAll('path', 'path_').replaceAll('path__', 'path_')}
  done
  case "$path_ $previous" in
${valueCases(commands)}
  esac
  case "$path_" in
${cases(commands)}
  esac
  if [[ -n "$values" ]]; then compadd -- \${=values}
  elif [[ -n "$files" ]]; then _files
  elif [[ -n "$free" ]]; then return 0
  elif [[ "$current" == -* ]]; then compadd -- \${=options}
  elif [[ -n "$subcommands" ]]; then compadd -- \${=subcommands}
  else _files
  fi
}
if [ "$funcstack[1]" = "_fedsvd" ]; then _fedsvd "$@"; else compdef _fedsvd fedsvd; fi
`
}

function fish(commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ path, subcommands, options }) => {
    const at = `-n '__fedsvd_at "${path}"'`
    return [
      ...subcommands.map(({ word, description }) => `complete -c fedsvd -f ${at} -a '${word}' -d '${description}'`),
      ...options.map(
        ({ word, description, choices, takesValue, takesFile }) =>
          `complete -c fedsvd ${at} ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`}` +
          `${takesValue ? ' -r' : ''}${choices.length > 0 ? ` -f -a '${choices.join(' ')}'` : takesFile ? ' -F' : ''} -d '${description}'`,
      ),
    ]
  })
  const known = commands.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
  return `# fish completion of fedsvd: fedsvd completion fish > ~/.config/fish/completions/fedsvd.fish
function __fedsvd_at
    set -l path
    for word in (commandline -opc)[2..-1]
        set -l next (string trim -- "$path $word")
        if contains -- "$next" ${known.join(' ')}
            set path "$next"
        end
    end
    test "$path" = "$argv[1]"
end
${lines.join('\n')}
`
}
