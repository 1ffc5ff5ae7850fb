import type { Command, Option } from 'commander'

/** What the shell shall do with the word at the cursor: offer words, names of a kind from the broker, or files. */
export type Completion =
  | { readonly offer: 'words'; readonly words: readonly string[] }
  | { readonly offer: 'names'; readonly kind: NameKind }
  | { readonly offer: 'files' }

/**
 * Arguments and option values are completed by their name in the usage line: MACHINE is one that
 * exists, NAME a new one.
 */
export const NAME_KINDS = [
  'MACHINE',
  'INITIAL',
  'HYPERVISOR',
  'POOL',
  'JOB',
  'DEVICE',
  'TOKEN',
  'TARGET',
  'USER',
  'ROLE',
  'OBJECT',
  'VERB',
] as const
export type NameKind = (typeof NAME_KINDS)[number]
const FILE_KINDS = ['FILE', 'DIRECTORY']

/** Decides from the words after `berth`, the last of which is the one at the cursor. Pure. */
export function completionFor(program: Command, words: readonly string[]): Completion {
  const current = words.at(-1) ?? ''
  const options: Option[] = [...program.options]
  let command = program
  let given = 0
  let pending: Option | undefined
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) pending = undefined
    else if (word.startsWith('-'))
      pending = options.find(
        (option) =>
          [option.long, option.short].includes(word) && (option.required || option.optional),
      )
    else {
      const next = command.commands.find((candidate) => candidate.name() === word)
      if (next === undefined) given += 1
      else {
        command = next
        options.push(...next.options)
      }
    }
  }
  if (pending !== undefined)
    return valueCompletion(pending.flags.split(/[ =]/).at(-1) ?? '', pending.argChoices)
  if (current.startsWith('-'))
    return {
      offer: 'words',
      words: [...options.flatMap((option) => option.long ?? option.short ?? []), '--help'],
    }
  return argumentCompletion(command, given)
}

function argumentCompletion(command: Command, given: number): Completion {
  if (command.commands.length > 0)
    return {
      offer: 'words',
      words: command.commands.map((child) => child.name()).filter((name) => !name.startsWith('__')),
    }
  const last = command.registeredArguments.at(-1)
  const argument =
    command.registeredArguments[given] ?? (last?.variadic === true ? last : undefined)
  return argument === undefined
    ? { offer: 'words', words: [] }
    : valueCompletion(argument.name(), argument.argChoices)
}

function valueCompletion(placeholder: string, choices: readonly string[] | undefined): Completion {
  if (choices !== undefined) return { offer: 'words', words: choices }
  const name = placeholder.replace(/[<>[\].…]/g, '')
  const kind = NAME_KINDS.find((candidate) => candidate === name)
  if (kind !== undefined) return { offer: 'names', kind }
  return FILE_KINDS.includes(name) ? { offer: 'files' } : { offer: 'words', words: [] }
}

/** A name, also of a person, or KIND:NAME: no sign that means something to a shell. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._@:-]{0,199}$/

/** What the shell gets is inserted into a command line, so only plain names pass, whatever the broker says. */
export function plainNames(names: readonly string[]): string[] {
  return [...new Set(names.filter((name) => PLAIN_NAME.test(name)))]
}

/** The answer that makes the shell complete file names. */
export const FILES_ANSWER = ':files'

/** Source it, or put it into /usr/share/bash-completion/completions/berth. */
export const BASH_SCRIPT = `# bash completion for berth
_berth() {
    local answer
    COMPREPLY=()
    mapfile -t answer < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ "\${answer[0]:-}" == '${FILES_ANSWER}' ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
        return
    fi
    COMPREPLY=("\${answer[@]}")
}
complete -F _berth berth
`
