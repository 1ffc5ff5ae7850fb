import type { TFunction } from 'i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Offer } from '../../broker/api/offers.js'
import type { Verb } from '../../broker/api/permissions.js'
import type { Feeling } from '../parts/state-label.js'

export interface Shown {
  readonly text: string
  readonly feeling: Feeling
}

const FEELINGS: Readonly<Record<Desktop['phase'], Feeling>> = {
  preparing: 'busy',
  ready: 'good',
  connected: 'good',
  grace: 'good',
  disconnected: 'good',
  off: 'quiet',
  failed: 'bad',
}

/** The state of a card, in a word. Pure. */
export function stateOf(t: TFunction, offer: Offer): Shown {
  if (offer.desktop && offer.power === 'unknown')
    return { text: t('desktops.hostAway'), feeling: 'bad' }
  if (offer.desktop)
    return {
      text: t(`desktops.phase.${offer.desktop.phase}`),
      feeling: FEELINGS[offer.desktop.phase],
    }
  if (offer.state === 'maintenance')
    return { text: t('desktops.maintenance'), feeling: 'maintenance' }
  if (offer.kind === 'machine') return machineState(t, offer)
  if (offer.state === 'full') return { text: t('desktops.full'), feeling: 'quiet' }
  return offer.free === 0
    ? { text: t('desktops.made'), feeling: 'info' }
    : { text: t('desktops.free', { free: offer.free ?? 0 }), feeling: 'info' }
}

function machineState(t: TFunction, { power, connected, state }: Offer): Shown {
  if (state === 'full' || connected.some(({ you }) => !you))
    return { text: t('desktops.usedByOther'), feeling: 'busy' }
  if (power === 'running') return { text: t('desktops.on'), feeling: 'good' }
  if (power === 'unknown') return { text: t('desktops.hostAway'), feeling: 'bad' }
  return {
    text: power === 'missing' ? t('desktops.missing') : t('desktops.off'),
    feeling: power === 'missing' || power === 'crashed' ? 'bad' : 'quiet',
  }
}

/** The machine that a card's doings are about; null: they have none yet. */
export function machineOf({ kind, name, desktop }: Offer): string | null {
  return desktop?.machine ?? (kind === 'machine' ? name : null)
}

export function isRunning({ power }: Offer): boolean {
  return power === 'running'
}

/** Whether its screen can be opened now. */
export function canBeOpened(offer: Offer): boolean {
  const { desktop, kind, state } = offer
  return desktop
    ? desktop.phase !== 'preparing' && isRunning(offer)
    : kind === 'machine' && state !== 'maintenance' && isRunning(offer)
}

export type Deed = 'start' | 'shutdown' | 'reset' | 'extend' | 'release' | 'rebuild'
const NEEDS: Readonly<Record<Deed, Verb>> = {
  start: 'start',
  shutdown: 'stop',
  reset: 'reset',
  extend: 'extend',
  release: 'release',
  rebuild: 'rebuild',
}

/**
 * What they may do with their desktop or machine, and what makes sense now; what is not permitted is
 * not shown at all. Pure.
 */
export function deedsOf(offer: Offer): Array<{ readonly deed: Deed; readonly now: boolean }> {
  const { desktop, verbs } = offer
  if (machineOf(offer) === null) return []
  const running = isRunning(offer)
  const preparing = desktop?.phase === 'preparing'
  const now: Readonly<Record<Deed, boolean>> = {
    start: !running && !preparing && offer.power !== 'unknown' && offer.state !== 'maintenance',
    shutdown: running,
    reset: running,
    extend: desktop !== null && desktop.pool !== null,
    release: desktop !== null,
    rebuild: !preparing,
  }
  const known = (['start', 'shutdown', 'reset', 'extend', 'release', 'rebuild'] as const).filter(
    (deed) => desktop !== null || ['start', 'shutdown', 'reset'].includes(deed),
  )
  const inPool = desktop !== null && desktop.pool !== null
  return known
    .filter(
      (deed) =>
        verbs.includes(NEEDS[deed]) && (inPool || (deed !== 'extend' && deed !== 'rebuild')),
    )
    .map((deed) => ({ deed, now: now[deed] }))
}

/** Whose time runs out, and when; null: it does not. */
export function endOf({ desktop }: Offer): string | null {
  return desktop?.warning?.takenAt ?? desktop?.sessionEndsAt ?? desktop?.expiresAt ?? null
}
