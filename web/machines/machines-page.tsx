import { ToggleGroup, ToggleGroupItem, ToolbarItem } from '@patternfly/react-core'
import { type ComponentProps, type ReactElement, useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Machine, MACHINE_TYPES, POWER_STATES } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { ButtonLink } from '../parts/button-link.js'
import { ChoiceFilter, useParam } from '../parts/choice-filter.js'
import { DataTable } from '../parts/data-table.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { MachineMenu } from './machine-menu.js'
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

const GROUPS = ['initial', 'hypervisor', 'type'] as const
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
  const actions = useCallback(
    (machine: Machine) => (
      <MachineMenu
        machines={[machine]}
        desktops={desktops}
        label={t('machines.actionsOf', { name: machine.name })}
        begin={begin}
      />
    ),
    [desktops, begin, t],
  )
  const tools = (
    <>
      {admin && view !== 'screens' && (
        <ToolbarItem>
          <MachineMenu
            machines={chosen}
            desktops={desktops}
            label={t('machines.actionsOfChosen')}
            text={t('machines.chosen', { count: chosen.length })}
            begin={begin}
          />
        </ToolbarItem>
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

function useFiltered(all: readonly Machine[]): readonly Machine[] {
  const [[type], [power], [hypervisor], [parent]] = [
    useParam('type'),
    useParam('power'),
    useParam('hypervisor'),
    useParam('parent'),
  ]
  return useMemo(
    () =>
      all.filter(
        (machine) =>
          (type === '' || machine.type === type) &&
          (parent === '' || machine.parent === parent) &&
          (hypervisor === '' || machine.hypervisor === hypervisor) &&
          (power === '' ||
            (power === 'maintenance'
              ? machine.maintenance
              : power === 'connected'
                ? machine.viewers.length > 0
                : machine.power === power)),
      ),
    [all, type, power, hypervisor, parent],
  )
}

function Filters({ all }: { all: readonly Machine[] }): ReactElement {
  const { t } = useTranslation()
  const [view] = useParam('view')
  const hypervisors = useChoices(all, ({ hypervisor }) => hypervisor)
  const parents = useChoices(all, ({ parent }) => parent)
  const states = [
    ...POWER_STATES.map((value) => ({ value, name: t(`machines.powers.${value}`) })),
    { value: 'maintenance', name: t('machines.maintenance') },
    { value: 'connected', name: t('machines.connected') },
  ]
  return (
    <>
      <Filter
        name="type"
        label={t('machines.type')}
        all={t('machines.allTypes')}
        options={MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))}
      />
      <Filter
        name="power"
        label={t('machines.power')}
        all={t('machines.allStates')}
        options={states}
      />
      <Filter
        name="hypervisor"
        label={t('machines.hypervisor')}
        all={t('machines.allHypervisors')}
        options={hypervisors}
      />
      <Filter
        name="parent"
        label={t('machines.parent')}
        all={t('machines.allParents')}
        options={parents}
      />
      {view !== 'screens' && (
        <Filter
          name="group"
          label={t('machines.group')}
          all={t('machines.noGroups')}
          options={GROUPS.map((value) => ({ value, name: t(`machines.groups.${value}`) }))}
        />
      )}
      <ToolbarItem>
        <ViewToggle />
      </ToolbarItem>
    </>
  )
}

function Filter(props: ComponentProps<typeof ChoiceFilter>): ReactElement {
  return (
    <ToolbarItem>
      <ChoiceFilter {...props} />
    </ToolbarItem>
  )
}

/** What machines have in one of their fields, in order. */
function useChoices(
  all: readonly Machine[],
  of: (machine: Machine) => string | null,
): ReadonlyArray<{ value: string; name: string }> {
  return useMemo(() => {
    const names = all.map(of).filter((name) => name !== null)
    return [...new Set(names)].sort().map((name) => ({ value: name, name }))
  }, [all])
}

function ViewToggle(): ReactElement {
  const { t } = useTranslation()
  const [view, setView] = useParam('view')
  return (
    <ToggleGroup aria-label={t('machines.view')} isCompact>
      <ToggleGroupItem
        text={t('machines.views.table')}
        isSelected={view !== 'screens'}
        onChange={() => {
          setView('')
        }}
      />
      <ToggleGroupItem
        text={t('machines.views.screens')}
        isSelected={view === 'screens'}
        onChange={() => {
          setView('screens')
        }}
      />
    </ToggleGroup>
  )
}
