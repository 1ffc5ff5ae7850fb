import { importsOf, TYPESCRIPT_FILES } from '../../test/architecture/tree.js'

const PROGRAMS = ['cli', 'thin-client', 'web'] as const

/**
 * Which folder imports which, as a Mermaid flowchart: those of the broker, and the programs beside
 * it. An arrow that follows from others is left out.
 */
export function picture(): string {
  const graph = foldersOf()
  const arrows = [...graph].flatMap(([folder, imported]) =>
    [...imported]
      .filter((one) => ![...imported].some((other) => other !== one && reaches(graph, other, one)))
      .sort()
      .map((one) => `  ${nodeOf(folder)} --> ${nodeOf(one)}`),
  )
  return ['```mermaid', 'flowchart BT', ...arrows.sort(), '```'].join('\n')
}

function foldersOf(): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>()
  for (const file of TYPESCRIPT_FILES) {
    const folder = folderOf(file)
    if (folder === null) continue
    const imported = graph.get(folder) ?? new Set<string>()
    graph.set(folder, imported)
    for (const { from } of importsOf(file)) {
      const other = folderOf(from)
      if (other !== null && other !== folder) imported.add(other)
    }
  }
  return graph
}

/** A folder of the broker, or a program; null: neither. The wiring at the broker's root knows everything. */
function folderOf(file: string): string | null {
  const [program = '', folder = '', more] = file.split('/')
  if ((PROGRAMS as readonly string[]).includes(program)) return program
  return program === 'broker' && more !== undefined ? `broker/${folder}` : null
}

function reaches(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  from: string,
  to: string,
  seen = new Set<string>(),
): boolean {
  if (seen.has(from)) return false
  seen.add(from)
  const imported = graph.get(from) ?? new Set<string>()
  return imported.has(to) || [...imported].some((one) => reaches(graph, one, to, seen))
}

function nodeOf(folder: string): string {
  return folder.replace('broker/', '')
}
