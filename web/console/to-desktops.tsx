import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'react-router'

/** Where a link to a screen says that it stands: the machine of that page. */
export interface From {
  readonly machinePage: string
}

/**
 * What a button that leads to one's desktops is made of; one and the same at every drawing, so that
 * it keeps the focus.
 */
export function ToDesktops(props: object): ReactElement {
  return <Link {...props} to="/" />
}

/** The same for the way back to where the screen was opened. */
export function ToWhereFrom(props: object): ReactElement {
  const from = useFrom()
  return (
    <Link
      {...props}
      to={from === null ? '/' : `/machines/${encodeURIComponent(from.machinePage)}`}
    />
  )
}

/** What that way is called. */
export function useBackName(): string {
  const { t } = useTranslation()
  const from = useFrom()
  return from === null ? t('console.back') : t('console.backTo', { machine: from.machinePage })
}

function useFrom(): From | null {
  return useLocation().state as From | null
}
