import { Title } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Leftover } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { When } from '../parts/when.js'

/** What Berth still has to remove from this host; nothing is shown where there is nothing. */
export function Leftovers({ name }: { name: string }): ReactElement | null {
  const { t } = useTranslation()
  const { data } = useGet<{ leftovers: Leftover[] }>(path`/hypervisors/${name}/leftovers`, [
    'hypervisors',
  ])
  if (!data || data.leftovers.length === 0) return null
  return (
    <>
      <Title headingLevel="h2" size="lg" className="berth-below">
        {t('leftovers.title')}
      </Title>
      <p>{t('leftovers.hint')}</p>
      <Table aria-label={t('leftovers.title')} variant="compact">
        <Thead>
          <Tr>
            <Th>{t('leftovers.kind')}</Th>
            <Th>{t('leftovers.name')}</Th>
            <Th>{t('leftovers.noted')}</Th>
            <Th>{t('leftovers.fault')}</Th>
          </Tr>
        </Thead>
        <Tbody>
          {data.leftovers.map(({ kind, name: what, notedAt, fault }) => (
            <Tr key={`${kind} ${what}`}>
              <Td dataLabel={t('leftovers.kind')}>{t(`leftovers.kinds.${kind}`)}</Td>
              <Td dataLabel={t('leftovers.name')}>{what}</Td>
              <Td dataLabel={t('leftovers.noted')}>
                <When at={notedAt} />
              </Td>
              <Td dataLabel={t('leftovers.fault')}>{fault === '' ? '–' : fault}</Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </>
  )
}
