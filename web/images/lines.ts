import type { Machine } from '../../broker/api/machines.js'

export interface InitialWithMachines {
  readonly initial: Machine
  readonly machines: readonly Machine[]
}
/** `source` is null for initials whose source is gone. */
export interface SourceLine {
  readonly source: Machine | null
  readonly initials: readonly InitialWithMachines[]
}

/** Who is made from whom; sources that nothing is made from are lines too. */
export function linesOf(all: readonly Machine[]): SourceLine[] {
  const initials = all.filter(({ type }) => type === 'initial')
  const byParent = new Map<string, Machine[]>()
  for (const machine of all) {
    if (machine.type !== 'vdi' || machine.parent === null) continue
    const siblings = byParent.get(machine.parent)
    if (siblings) siblings.push(machine)
    else byParent.set(machine.parent, [machine])
  }
  const under = (source: Machine | null): InitialWithMachines[] =>
    initials
      .filter(({ parent }) => parent === (source?.name ?? null))
      .map((initial) => ({ initial, machines: byParent.get(initial.name) ?? [] }))
  const sources = all.filter(
    ({ type, name }) => type === 'source' || initials.some(({ parent }) => parent === name),
  )
  const orphans = under(null)
  return [
    ...sources.map((source) => ({ source, initials: under(source) })),
    ...(orphans.length > 0 ? [{ source: null, initials: orphans }] : []),
  ]
}
