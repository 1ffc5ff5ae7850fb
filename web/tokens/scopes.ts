import type { TFunction } from 'i18next'
import type { Scope } from '../../broker/api/permissions.js'

/**
 * What a token may be kept to. `admin` is left out: it means all that the account may, as a token
 * without scopes does.
 */
export const PARTIAL_SCOPES = [
  'observe',
  'start',
  'stop',
  'reset',
  'accessConsole',
  'takeConsole',
  'release',
  'extend',
  'rebuild',
  'assign',
  '*',
] as const satisfies readonly Scope[]
export type PartialScope = (typeof PARTIAL_SCOPES)[number]

export function scopeName(t: TFunction, scope: Scope): string {
  if (scope === 'observe') return t('tokens.scopes.observe')
  if (scope === '*') return t('tokens.scopes.*')
  return scope === 'admin' ? t('tokens.mays.all') : t(`verbs.${scope}`)
}
