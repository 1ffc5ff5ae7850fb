import { useMemo } from 'react'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { mibText } from '../parts/amounts.js'
import { type Column, type ColumnPlan, useColumns } from '../parts/column.js'
import { PowerLabel } from './power-label.js'

const BEFORE_HOLDER: ReadonlyArray<ColumnPlan<Machine>> = [
  {
    key: 'name',
    name: (t) => t('machines.name'),
    value: ({ name }) => name,
    cell: ({ name }) => <Link to={path`/machines/${name}`}>{name}</Link>,
    width: 'minmax(6rem, 1.4fr)',
  },
  {
    key: 'state',
    name: (t) => t('machines.power'),
    value: (machine, t) =>
      `${t(`machines.powers.${machine.power}`)}${machine.maintenance ? ` ${t('machines.maintenance')}` : ''}`,
    cell: (machine) => <PowerLabel machine={machine} />,
    width: 'minmax(8rem, 1.5fr)',
  },
  {
    key: 'type',
    name: (t) => t('machines.type'),
    value: ({ type }, t) => t(`machines.types.${type}`),
    cell: ({ type }, t) => t(`machines.types.${type}`),
    width: 'minmax(5rem, 0.6fr)',
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'hypervisor',
    name: (t) => t('machines.hypervisor'),
    value: ({ hypervisor }) => hypervisor,
    cell: ({ hypervisor }) => hypervisor,
    width: 'minmax(5rem, 0.8fr)',
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'parent',
    name: (t) => t('machines.parent'),
    value: ({ parent }) => parent ?? '',
    cell: ({ parent }) => parent ?? '–',
    width: 'minmax(5rem, 1fr)',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'generation',
    name: (t) => t('machines.generation'),
    value: ({ generation }) => generation ?? '',
    cell: ({ generation, renewPending }, t) => (
      <>
        {generation ?? '–'}
        {renewPending && <span className="berth-quiet"> → {t('machines.renewLater')}</span>}
      </>
    ),
    width: 'minmax(5rem, 0.8fr)',
    wideOnly: true,
    rank: 2,
  },
]

const AFTER_HOLDER: ReadonlyArray<ColumnPlan<Machine>> = [
  {
    key: 'viewers',
    name: (t) => t('machines.viewers'),
    value: ({ viewers }) => viewers.join(' '),
    cell: ({ viewers }) => viewers.join(', '),
    wideOnly: true,
    rank: 5,
  },
  {
    key: 'memory',
    name: (t) => t('machines.memoryAndCpus'),
    value: ({ memoryMib }) => memoryMib,
    cell: ({ memoryMib, vcpus }) => (
      <>
        {mibText(memoryMib)} · {vcpus}
      </>
    ),
    width: 'minmax(5rem, 0.7fr)',
    wideOnly: true,
    rank: 6,
  },
]

function holderColumn(desktops: ReadonlyMap<string, Desktop>): ColumnPlan<Machine> {
  return {
    key: 'holder',
    name: (t) => t('machines.holder'),
    value: ({ name }) => desktops.get(name)?.holder ?? '',
    cell: ({ name }) => desktops.get(name)?.holder ?? '',
    wideOnly: true,
  }
}

/** What is shown of a machine in the long table. */
export function useMachineColumns(
  desktops: ReadonlyMap<string, Desktop>,
): ReadonlyArray<Column<Machine>> {
  return useColumns(
    useMemo(() => [...BEFORE_HOLDER, holderColumn(desktops), ...AFTER_HOLDER], [desktops]),
  )
}
