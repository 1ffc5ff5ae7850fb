import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'

/** More are told by their number; the table of machines shows them all. */
const MOST_DOTS = 200

/**
 * connected, assigned, on, off or troubled: what the colour of a dot tells, with the word beside it
 * for those who do not see colours.
 */
type DotState = 'connected' | 'assigned' | 'on' | 'off' | 'trouble'
function dotOf(machine: Machine, desktop: Desktop | undefined): DotState {
  if (machine.power === 'missing' || machine.power === 'crashed') return 'trouble'
  if (machine.viewers.length > 0) return 'connected'
  if (desktop) return 'assigned'
  return machine.power === 'running' ? 'on' : 'off'
}

/** The machines on one generation, each a small square that leads to it. */
export function MachineDots({
  machines,
  desktops,
}: {
  machines: readonly Machine[]
  desktops: ReadonlyMap<string, Desktop>
}): ReactElement {
  const { t } = useTranslation()
  if (machines.length === 0)
    return <span className="berth-quiet">{t('images.machines', { count: 0 })}</span>
  return (
    <div className="berth-standing">
      <span>{t('images.machines', { count: machines.length })}</span>
      <span className="berth-dots">
        {machines.slice(0, MOST_DOTS).map((machine) => {
          const desktop = desktops.get(machine.name)
          const state = dotOf(machine, desktop)
          const holder = desktop ? ` (${desktop.holder})` : ''
          const later = machine.renewPending ? `, ${t('machines.renewLater')}` : ''
          const text = `${machine.name}: ${t(`images.dots.${state}`)}${holder}${later}`
          return (
            <Link
              key={machine.id}
              to={path`/machines/${machine.name}`}
              className={`berth-dot berth-dot-${state}${machine.renewPending ? ' berth-dot-later' : ''}`}
              aria-label={text}
              title={text}
            />
          )
        })}
        {machines.length > MOST_DOTS && <span className="berth-quiet">…</span>}
      </span>
      <Counts machines={machines} desktops={desktops} />
    </div>
  )
}

function Counts({
  machines,
  desktops,
}: {
  machines: readonly Machine[]
  desktops: ReadonlyMap<string, Desktop>
}): ReactElement {
  const { t } = useTranslation()
  const counts = new Map<DotState, number>()
  for (const machine of machines) {
    const state = dotOf(machine, desktops.get(machine.name))
    counts.set(state, (counts.get(state) ?? 0) + 1)
  }
  return (
    <span className="berth-quiet berth-dot-counts">
      {[...counts].map(([state, count]) => (
        <span key={state}>
          <span className={`berth-dot berth-dot-${state}`} aria-hidden="true" /> {count}{' '}
          {t(`images.dots.${state}`)}
        </span>
      ))}
    </span>
  )
}
