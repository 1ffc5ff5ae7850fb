import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

/** Gives the path of a program on PATH (or the absolute path itself), undefined when there is none that may be run. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  const candidates = isAbsolute(name)
    ? [name]
    : name.includes('/')
      ? []
      : (path ?? '')
          .split(delimiter)
          .filter(isAbsolute)
          .map((directory) => join(directory, name))
  return candidates.find(mayRun)
}

/** The words of a command that ends with the agent, also when the agent is killed (setpriv(1), --pdeathsig). */
export function boundTo(
  find: (name: string) => string | undefined,
  words: readonly [string, ...string[]],
): [string, ...string[]] {
  const setpriv = find('setpriv')
  return setpriv === undefined ? [...words] : [setpriv, '--pdeathsig', 'TERM', '--', ...words]
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
