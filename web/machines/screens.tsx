import { EmptyState } from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { arrange } from '../parts/arrange.js'
import { CardGrid } from '../parts/card-grid.js'
import { useParam } from '../parts/choice-filter.js'
import { SearchTools } from '../parts/search-tools.js'
import { PowerLabel } from './power-label.js'
import { Thumbnail } from './thumbnail.js'

const CARD_WIDTH = 216
const CARD_HEIGHT = 176

interface ScreensProps {
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly tools: ReactNode
}

/** The machines by their screens; pictures are made for those only that are seen. */
export function Screens({ machines, desktops, tools }: ScreensProps): ReactElement {
  const { t } = useTranslation()
  const [search, setSearch] = useParam('search')
  const found = useFound(machines, desktops, search)
  return (
    <>
      <SearchTools
        label={t('navigation.machines')}
        search={search}
        setSearch={setSearch}
        tools={tools}
        found={t('table.count', { count: found.length })}
      />
      {found.length === 0 ? (
        <EmptyState headingLevel="h2" titleText={t('machines.noneOfThese')} />
      ) : (
        <CardGrid
          label={t('machines.views.screens')}
          items={found}
          idOf={({ id }) => id}
          least={CARD_WIDTH}
          height={CARD_HEIGHT}
          card={(machine) => (
            <ScreenCard machine={machine} holder={desktops.get(machine.name)?.holder} />
          )}
        />
      )}
    </>
  )
}

/** By name, parent, hypervisor and who has it. */
function useFound(
  machines: readonly Machine[],
  desktops: ReadonlyMap<string, Desktop>,
  search: string,
): readonly Machine[] {
  return useMemo(() => {
    const fields = [
      { key: 'name', value: ({ name }: Machine) => name },
      {
        key: 'more',
        value: ({ name, parent, hypervisor }: Machine) =>
          `${parent ?? ''} ${hypervisor} ${desktops.get(name)?.holder ?? ''}`,
      },
    ]
    return arrange(machines, fields, { search, order: { key: 'name', down: false } }).flatMap(
      (line) => ('row' in line ? [line.row] : []),
    )
  }, [machines, desktops, search])
}

function ScreenCard({
  machine,
  holder,
}: {
  machine: Machine
  holder: string | undefined
}): ReactElement {
  return (
    <Link className="berth-screen" to={path`/machines/${machine.name}`}>
      <Thumbnail machine={machine} />
      <span className="berth-screen-foot">
        <span className="berth-screen-name" title={holder}>
          {machine.name}
          {holder === undefined ? '' : ` · ${holder}`}
        </span>
        <PowerLabel machine={machine} />
      </span>
    </Link>
  )
}
