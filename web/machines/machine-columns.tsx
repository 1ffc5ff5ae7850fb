import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { mibText } from '../parts/amounts.js'
import type { Column } from '../parts/column.js'
import { PowerLabel } from './power-label.js'

/** What is shown of a machine in the long table. */
export function useMachineColumns(
  desktops: ReadonlyMap<string, Desktop>,
): ReadonlyArray<Column<Machine>> {
  const { t } = useTranslation()
  return useMemo(
    () => [
      {
        key: 'name',
        name: t('machines.name'),
        value: ({ name }) => name,
        cell: ({ name }) => <Link to={path`/machines/${name}`}>{name}</Link>,
        width: 'minmax(6rem, 1.4fr)',
      },
      {
        key: 'state',
        name: t('machines.power'),
        value: (machine) =>
          `${t(`machines.powers.${machine.power}`)}${machine.maintenance ? ` ${t('machines.maintenance')}` : ''}`,
        cell: (machine) => <PowerLabel machine={machine} />,
        width: 'minmax(8rem, 1.5fr)',
      },
      {
        key: 'type',
        name: t('machines.type'),
        value: ({ type }) => t(`machines.types.${type}`),
        cell: ({ type }) => t(`machines.types.${type}`),
        width: 'minmax(5rem, 0.6fr)',
        wideOnly: true,
        rank: 4,
      },
      {
        key: 'hypervisor',
        name: t('machines.hypervisor'),
        value: ({ hypervisor }) => hypervisor,
        cell: ({ hypervisor }) => hypervisor,
        width: 'minmax(5rem, 0.8fr)',
        wideOnly: true,
        rank: 1,
      },
      {
        key: 'parent',
        name: t('machines.parent'),
        value: ({ parent }) => parent ?? '',
        cell: ({ parent }) => parent ?? '–',
        width: 'minmax(5rem, 1fr)',
        wideOnly: true,
        rank: 3,
      },
      {
        key: 'generation',
        name: t('machines.generation'),
        value: ({ generation }) => generation ?? '',
        cell: ({ generation, renewPending }) => (
          <>
            {generation ?? '–'}
            {renewPending && <span className="berth-quiet"> → {t('machines.renewLater')}</span>}
          </>
        ),
        width: 'minmax(5rem, 0.8fr)',
        wideOnly: true,
        rank: 2,
      },
      {
        key: 'holder',
        name: t('machines.holder'),
        value: ({ name }) => desktops.get(name)?.holder ?? '',
        cell: ({ name }) => desktops.get(name)?.holder ?? '',
        wideOnly: true,
      },
      {
        key: 'viewers',
        name: t('machines.viewers'),
        value: ({ viewers }) => viewers.join(' '),
        cell: ({ viewers }) => viewers.join(', '),
        wideOnly: true,
        rank: 5,
      },
      {
        key: 'memory',
        name: t('machines.memoryAndCpus'),
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
    ],
    [desktops, t],
  )
}
