import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Pool } from '../../broker/api/pools.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { StateLabel } from '../parts/state-label.js'
import { CreatePool } from './create-pool.js'

/** States whose members are counted, each with the rank by which its column goes where there is little room. */
const COUNTED = [
  ['free', 1],
  ['assigned', 4],
  ['building', 5],
  ['cleaning', 6],
  ['failed', 2],
] as const

const COLUMNS: ReadonlyArray<ColumnPlan<Pool>> = [
  {
    key: 'name',
    name: (t) => t('pools.name'),
    cell: (pool) => <Link to={`/pools/${pool.name}`}>{pool.name}</Link>,
    value: (pool) => pool.name,
  },
  {
    key: 'state',
    name: (t) => t('pools.state'),
    cell: (pool) => <PoolState pool={pool} />,
    value: (pool) => (pool.maintenance ? 'maintenance' : pool.state),
    width: 'minmax(7.5rem, 0.8fr)',
  },
  ...COUNTED.map(([state, rank]): ColumnPlan<Pool> => ({
    key: state,
    name: (t) => t(`pools.states.${state}`),
    cell: (pool) => <Count count={pool.counts[state] ?? 0} bad={state === 'failed'} />,
    value: (pool) => pool.counts[state] ?? 0,
    width: '4rem',
    wideOnly: true,
    rank,
  })),
  {
    key: 'waiting',
    name: (t) => t('pools.waiting'),
    cell: (pool) => <Count count={pool.waiting} bad />,
    value: (pool) => pool.waiting,
    width: '4rem',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'initial',
    name: (t) => t('pools.initial'),
    cell: (pool) => pool.initial ?? '–',
    value: (pool) => pool.initial ?? '',
    wideOnly: true,
    rank: 8,
  },
  {
    key: 'generations',
    name: (t) => t('pools.generations'),
    cell: (pool) => <Generations pool={pool} />,
    value: (pool) => pool.generations.length,
    wideOnly: true,
    rank: 7,
  },
]

/** Named sets of machines, each under one policy. */
export function Pools({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const [creating, setCreating] = useState(false)
  const pools = useGet<{ pools: Pool[] }>('/pools', ['pools', 'desktops', 'machines'])
  const columns = useColumns(COLUMNS)
  return (
    <>
      <PageHead title={t('navigation.pools')} about={t('pools.about')}>
        {session.role === 'admin' && (
          <Button
            onClick={() => {
              setCreating(true)
            }}
          >
            {t('pools.create')}
          </Button>
        )}
      </PageHead>
      {creating && (
        <CreatePool
          close={() => {
            setCreating(false)
          }}
        />
      )}
      <Loaded query={pools}>
        {(data) => (
          <DataTable
            label={t('navigation.pools')}
            rows={data.pools}
            columns={columns}
            idOf={(pool) => pool.name}
            nameOf={(pool) => pool.name}
            empty={t('pools.none')}
          />
        )}
      </Loaded>
    </>
  )
}

function Count({ count, bad = false }: { count: number; bad?: boolean }): ReactElement {
  return count === 0 ? (
    <span className="berth-quiet">0</span>
  ) : bad ? (
    <strong>{count}</strong>
  ) : (
    <>{count}</>
  )
}

export function PoolState({ pool }: { pool: Pool }): ReactElement {
  const { t } = useTranslation()
  if (pool.state === 'deleting')
    return <StateLabel feeling="busy">{t('pools.states.deleting')}</StateLabel>
  return pool.maintenance ? (
    <StateLabel feeling="maintenance" title={pool.maintenanceReason}>
      {t('pools.maintenance')}
    </StateLabel>
  ) : (
    <StateLabel feeling="good">{t('pools.active')}</StateLabel>
  )
}

/** How many members stand on which image. */
export function Generations({ pool }: { pool: Pool }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {pool.generations
        .map(({ generation, members, current }) =>
          current ? `${generation} ${t('pools.current')}: ${members}` : `${generation}: ${members}`,
        )
        .join(' · ') || '–'}
    </>
  )
}
