import { type ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { ButtonLink } from '../parts/button-link.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { DiskBar, HypervisorLabel, MemoryBar } from './hypervisor-label.js'
import { useHypervisors } from './use-hypervisors.js'

const COLUMNS: ReadonlyArray<ColumnPlan<Hypervisor>> = [
  {
    key: 'name',
    name: (t) => t('machines.name'),
    value: ({ name }) => name,
    cell: ({ name }) => <Link to={path`/hypervisors/${name}`}>{name}</Link>,
    width: 'minmax(6rem, 1fr)',
  },
  {
    key: 'state',
    name: (t) => t('machines.power'),
    value: ({ state, reason }, t) => `${t(`hypervisors.states.${state}`)} ${reason}`,
    cell: (one) => (
      <>
        <HypervisorLabel hypervisor={one} /> <span className="berth-quiet">{one.reason}</span>
      </>
    ),
    width: 'minmax(9rem, 2fr)',
  },
  {
    key: 'address',
    name: (t) => t('hypervisors.address'),
    value: ({ address }) => address,
    cell: ({ address, port }) => (
      <span className="berth-mono">
        {address}
        {port === 22 ? '' : ` :${port}`}
      </span>
    ),
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'machines',
    name: (t) => t('navigation.machines'),
    value: ({ machines }) => machines,
    cell: ({ machines, name }) => (
      <Link to={`/machines?hypervisor=${encodeURIComponent(name)}`}>{machines}</Link>
    ),
    width: '5rem',
    wideOnly: true,
    rank: 1,
  },
  {
    key: 'cores',
    name: (t) => t('machines.vcpus'),
    value: ({ capacity }) => capacity?.cores ?? 0,
    cell: ({ capacity }) => capacity?.cores ?? '–',
    width: '6rem',
    wideOnly: true,
    rank: 5,
  },
  {
    key: 'memory',
    name: (t) => t('hypervisors.memory'),
    value: ({ capacity }) => (capacity === null ? 0 : capacity.memoryMib - capacity.memoryFreeMib),
    cell: (one) => <MemoryBar hypervisor={one} />,
    width: 'minmax(9rem, 1fr)',
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'disk',
    name: (t) => t('hypervisors.disk'),
    value: ({ capacity }) =>
      capacity === null ? 0 : capacity.imagesTotalBytes - capacity.imagesFreeBytes,
    cell: (one) => <DiskBar hypervisor={one} />,
    width: 'minmax(9rem, 1fr)',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'virt',
    name: (t) => t('hypervisors.virt'),
    value: ({ virtType }) => virtType ?? '',
    cell: ({ virtType }) => virtType ?? '–',
    width: '5rem',
    wideOnly: true,
    rank: 6,
  },
]

/** All hypervisors, with how they are and how full. */
export function HypervisorsPage({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const hypervisors = useHypervisors()
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead title={t('navigation.hypervisors')}>
        {session.role === 'admin' && (
          <ButtonLink to="/hypervisors/-/new">{t('hypervisors.add')}</ButtonLink>
        )}
      </PageHead>
      <Loaded query={hypervisors}>
        {({ hypervisors: all }) => (
          <DataTable
            label={t('navigation.hypervisors')}
            rows={all}
            columns={columns}
            idOf={({ name }) => name}
            nameOf={({ name }) => name}
            empty={t('hypervisors.none')}
          />
        )}
      </Loaded>
    </>
  )
}
