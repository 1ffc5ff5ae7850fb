import { ToolbarItem } from '@patternfly/react-core'
import { type ReactElement, useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { ButtonLink } from '../parts/button-link.js'
import { useParam } from '../parts/choice-filter.js'
import { DataTable } from '../parts/data-table.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Filters, useFiltered } from './machine-filters.js'
import { MachineMenu, type MachineMenuProps } from './machine-menu.js'
import { useMachineColumns } from './machine-columns.js'
import './machines.css'
import { RunResults } from './run-results.js'
import { Screens } from './screens.js'
import { useDesktops, useMachines } from './use-machines.js'
import { useRun } from './use-run.js'

/** All machines: as a table, or as their screens. */
export function MachinesPage({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const machines = useMachines()
  const admin = session.role === 'admin'
  const [job, setJob] = useParam('job')
  return (
    <>
      <PageHead title={t('navigation.machines')}>
        {admin && (
          <>
            <ButtonLink variant="secondary" to="/machines/-/adopt">
              {t('machines.adopt')}
            </ButtonLink>
            <ButtonLink to="/machines/-/new">{t('machines.create')}</ButtonLink>
          </>
        )}
      </PageHead>
      {job !== '' && (
        <JobProgress
          id={job}
          mayCancel={admin}
          close={() => {
            setJob('')
          }}
        />
      )}
      <Loaded query={machines}>{({ machines: all }) => <List all={all} admin={admin} />}</Loaded>
    </>
  )
}

const groupings: Readonly<Record<string, (machine: Machine) => string>> = {
  initial: ({ parent }) => parent ?? '',
  hypervisor: ({ hypervisor }) => hypervisor,
  type: ({ type }) => type,
}
const idOf = ({ id }: Machine): string => id
const nameOf = ({ name }: Machine): string => name

interface ListProps {
  readonly all: readonly Machine[]
  readonly admin: boolean
}

function List({ all, admin }: ListProps): ReactElement {
  const { t } = useTranslation()
  const desktops = useDesktops()
  const { run, begin, forget } = useRun('berth-run')
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [[view], [group]] = [useParam('view'), useParam('group')]
  const rows = useFiltered(all)
  const columns = useMachineColumns(desktops)
  const chosen = useMemo(() => all.filter(({ id }) => selected.has(id)), [all, selected])
  const actions = useRowMenu(desktops, begin)
  const tools = (
    <>
      {admin && view !== 'screens' && (
        <ChosenMenu machines={chosen} desktops={desktops} begin={begin} />
      )}
      <Filters all={all} />
    </>
  )
  return (
    <>
      {run && <RunResults run={run} forget={forget} />}
      {view === 'screens' ? (
        <Screens machines={rows} desktops={desktops} tools={tools} />
      ) : (
        <DataTable
          label={t('navigation.machines')}
          rows={rows}
          columns={columns}
          idOf={idOf}
          nameOf={nameOf}
          tools={tools}
          empty={all.length === 0 ? t('machines.none') : t('machines.noneOfThese')}
          {...(groupings[group] ? { groupOf: groupings[group] } : {})}
          {...(admin ? { selected, onSelect: setSelected, actions } : {})}
        />
      )}
    </>
  )
}

type Begin = MachineMenuProps['begin']

/** The menu of a row; the same as long as what it needs is, so that rows are not drawn again for nothing. */
function useRowMenu(
  desktops: ReadonlyMap<string, Desktop>,
  begin: Begin,
): (machine: Machine) => ReactElement {
  const { t } = useTranslation()
  return useCallback(
    (machine) => (
      <MachineMenu
        machines={[machine]}
        desktops={desktops}
        label={t('machines.actionsOf', { name: machine.name })}
        begin={begin}
      />
    ),
    [desktops, begin, t],
  )
}

type ChosenMenuProps = Pick<MachineMenuProps, 'machines' | 'desktops' | 'begin'>

function ChosenMenu(props: ChosenMenuProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ToolbarItem>
      <MachineMenu
        {...props}
        label={t('machines.actionsOfChosen')}
        text={t('machines.chosen', { count: props.machines.length })}
      />
    </ToolbarItem>
  )
}
