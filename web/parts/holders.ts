import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'

const DEVICE = 'thin-client:'

/**
 * Whoever has a desktop, as people call them: a device by the name it gives itself. The devices are
 * asked for only where one of these holders is one.
 */
export function useHolderNames(holders: ReadonlyArray<string | null>): (holder: string) => string {
  const { t } = useTranslation()
  const enabled = holders.some((holder) => holder?.startsWith(DEVICE) === true)
  const { data } = useGet<{ thinClients: ThinClient[] }>('/thin-clients', ['thin-clients'], {
    enabled,
  })
  return useMemo(() => {
    const names = new Map(
      data?.thinClients.map(({ id, hostname, mac }) => [id, hostname === '' ? mac : hostname]),
    )
    return (holder) => {
      if (!holder.startsWith(DEVICE)) return holder
      const id = holder.slice(DEVICE.length)
      return t('common.thinClient', { name: names.get(id) ?? id })
    }
  }, [data, t])
}

/** The same rows, each with its holder as people call them. */
export function useNamedHolders<T extends { readonly holder: string | null }>(
  rows: readonly T[],
): readonly T[] {
  const name = useHolderNames(rows.map(({ holder }) => holder))
  return useMemo(
    () => rows.map((row) => (row.holder === null ? row : { ...row, holder: name(row.holder) })),
    [rows, name],
  )
}

/** The page about a holder. */
export function holderPath(holder: string): string {
  return holder.startsWith(DEVICE)
    ? path`/thin-clients/${holder.slice(DEVICE.length)}`
    : path`/people/${holder}`
}
