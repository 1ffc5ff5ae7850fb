import { ToggleGroup, ToggleGroupItem, ToolbarItem } from '@patternfly/react-core'
import { type ComponentProps, type ReactElement, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { type Machine, MACHINE_TYPES, POWER_STATES } from '../../broker/api/machines.js'
import { ChoiceFilter, useParam } from '../parts/choice-filter.js'

const GROUPS = ['initial', 'hypervisor', 'type'] as const

/** The machines that the filters in the address let through. */
export function useFiltered(all: readonly Machine[]): readonly Machine[] {
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

/** Filters of the machines, in groups or not, as a table or as screens: all stand in the address. */
export function Filters({ all }: { all: readonly Machine[] }): ReactElement {
  const [view] = useParam('view')
  const filters = useFilters(all)
  return (
    <>
      {filters.map((filter) => (
        <Filter key={filter.name} {...filter} />
      ))}
      {view !== 'screens' && <Grouping />}
      <ToolbarItem>
        <ViewToggle />
      </ToolbarItem>
    </>
  )
}

type FilterProps = ComponentProps<typeof ChoiceFilter>

function useFilters(all: readonly Machine[]): FilterProps[] {
  const { t } = useTranslation()
  const hypervisors = useChoices(all, ({ hypervisor }) => hypervisor)
  const parents = useChoices(all, ({ parent }) => parent)
  const types = MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))
  const states = [
    ...POWER_STATES.map((value) => ({ value, name: t(`machines.powers.${value}`) })),
    { value: 'maintenance', name: t('machines.maintenance') },
    { value: 'connected', name: t('machines.connected') },
  ]
  return [
    { name: 'type', label: t('machines.type'), all: t('machines.allTypes'), options: types },
    { name: 'power', label: t('machines.power'), all: t('machines.allStates'), options: states },
    {
      name: 'hypervisor',
      label: t('machines.hypervisor'),
      all: t('machines.allHypervisors'),
      options: hypervisors,
    },
    {
      name: 'parent',
      label: t('machines.parent'),
      all: t('machines.allParents'),
      options: parents,
    },
  ]
}

function Grouping(): ReactElement {
  const { t } = useTranslation()
  return (
    <Filter
      name="group"
      label={t('machines.group')}
      all={t('machines.noGroups')}
      options={GROUPS.map((value) => ({ value, name: t(`machines.groups.${value}`) }))}
    />
  )
}

function Filter(props: FilterProps): ReactElement {
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
