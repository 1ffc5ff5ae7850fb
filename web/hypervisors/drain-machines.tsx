import { Alert, Title } from '@patternfly/react-core'
import { type ReactElement, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { DrainMachine, DrainState, DrainStep } from '../../broker/api/drains.js'
import { path } from '../api/client.js'
import { type Column, type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { useNamedHolders } from '../parts/holders.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'

const FEELINGS: Readonly<Record<DrainStep, Feeling>> = {
  rest: 'quiet',
  holder: 'info',
  job: 'busy',
  unknown: 'bad',
  move: 'busy',
  stop: 'busy',
  take: 'warning',
  'by-hand': 'warning',
}
/** What keeps the host first. */
const ORDER: readonly DrainStep[] = [
  'by-hand',
  'unknown',
  'take',
  'holder',
  'job',
  'stop',
  'move',
  'rest',
]

/** Every machine of the host with what becomes of it, who has it, and until when. */
export function DrainMachines({
  state: { machines: all, others, drain },
}: {
  state: DrainState
}): ReactElement {
  const { t } = useTranslation()
  const machines = useNamedHolders(all)
  const columns = useMachineColumns(drain?.deadline ?? null)
  return (
    <>
      {others.length > 0 && (
        <Alert
          isInline
          variant="warning"
          className="berth-run"
          title={t('drain.others', { names: others.join(', ') })}
        />
      )}
      <Title headingLevel="h2" size="lg" className="berth-below">
        {t('hypervisors.itsMachines')}
      </Title>
      <DataTable
        label={t('hypervisors.itsMachines')}
        rows={machines}
        columns={columns}
        idOf={({ machine }) => machine}
        nameOf={({ machine }) => machine}
        empty={t('hypervisors.noMachines')}
      />
    </>
  )
}

function useMachineColumns(deadline: string | null): ReadonlyArray<Column<DrainMachine>> {
  return useColumns(useMemo(() => [...FIRST, untilColumn(deadline), ...LAST], [deadline]))
}

const FIRST: ReadonlyArray<ColumnPlan<DrainMachine>> = [
  {
    key: 'name',
    name: (t) => t('machines.name'),
    value: ({ machine }) => machine,
    cell: ({ machine }) => <Link to={path`/machines/${machine}`}>{machine}</Link>,
  },
  {
    key: 'step',
    name: (t) => t('drain.what'),
    value: ({ step }, t) => t(`drain.steps.${step}`),
    cell: ({ step, sentence }, t) => (
      <StateLabel feeling={FEELINGS[step]} title={sentence}>
        {t(`drain.steps.${step}`)}
      </StateLabel>
    ),
    width: 'minmax(11rem, 1fr)',
  },
  {
    key: 'holder',
    name: (t) => t('drain.holder'),
    value: ({ holder }) => holder ?? '',
    cell: ({ holder, connected }, t) =>
      holder === null ? (
        '–'
      ) : (
        <>
          {holder} {connected && <span className="berth-quiet">{t('drain.connected')}</span>}
        </>
      ),
    wideOnly: true,
    rank: 1,
  },
]

const LAST: ReadonlyArray<ColumnPlan<DrainMachine>> = [
  {
    key: 'pool',
    name: (t) => t('drain.pool'),
    value: ({ pool }) => pool ?? '',
    cell: ({ pool }) => (pool === null ? '–' : <Link to={path`/pools/${pool}`}>{pool}</Link>),
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'power',
    name: (t) => t('machines.power'),
    value: ({ power }) => power,
    cell: ({ power }, t) =>
      t(`machines.powers.${power}` as 'machines.powers.running', { defaultValue: power }),
    width: '8rem',
    wideOnly: true,
    rank: 4,
  },
]

function untilColumn(deadline: string | null): ColumnPlan<DrainMachine> {
  return {
    key: 'until',
    name: (t) => t('drain.until'),
    value: ({ until }) => until ?? '',
    cell: ({ until, holder }, t) =>
      holder === null ? (
        '–'
      ) : (until ?? deadline) ? (
        <When at={until ?? deadline} />
      ) : (
        t('drain.untilLeaves')
      ),
    wideOnly: true,
    rank: 2,
  }
}

const MOST_NAMED = 8

/** Names by what becomes of them; those that stay as they are left out. */
export function affectedBy(
  machines: readonly DrainMachine[],
): Array<{ readonly step: Exclude<DrainStep, 'rest'>; readonly names: string[] }> {
  return ORDER.flatMap((step) => {
    const all =
      step === 'rest'
        ? []
        : machines
            .filter((machine) => machine.step === step)
            .map(({ machine, holder }) => (holder === null ? machine : `${holder} (${machine})`))
    return step === 'rest' || all.length === 0
      ? []
      : [
          {
            step,
            names:
              all.length > MOST_NAMED
                ? [...all.slice(0, MOST_NAMED), `+${all.length - MOST_NAMED}`]
                : all,
          },
        ]
  })
}
