import { useMemo } from 'react'
import type { Desktop, DesktopList } from '../../broker/api/assignments.js'
import type { MachineList } from '../../broker/api/machines.js'
import { useGet } from '../api/queries.js'
import { useNamedHolders } from '../parts/holders.js'

const NOBODY: readonly Desktop[] = []

/** All machines, kept true. */
export function useMachines() {
  return useGet<MachineList>('/machines', ['machines'])
}

/** Who has which machine, by the machine's name, each called as people call them; empty until it is known. */
export function useDesktops(): ReadonlyMap<string, Desktop> {
  const { data } = useGet<DesktopList>('/desktops', ['desktops'])
  const desktops = data?.desktops ?? NOBODY
  const named = useNamedHolders(desktops)
  return useMemo(() => new Map(named.map((desktop) => [desktop.machine, desktop])), [named])
}
