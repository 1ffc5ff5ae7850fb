import { Card, CardBody, CardTitle } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'

interface Role {
  readonly role: string
  readonly meaning: string
  readonly users: number
  readonly grants: number
}

/** Every role that somebody has or a permission names. */
export function Roles(): ReactElement {
  const { t } = useTranslation()
  const roles = useGet<{ roles: Role[] }>('/roles', ['people', 'grants'])
  return (
    <Card className="berth-below">
      <CardTitle component="h2">{t('grants.roles')}</CardTitle>
      <CardBody>
        <Loaded query={roles}>
          {(data) => (
            <Table aria-label={t('grants.roles')} variant="compact">
              <Thead>
                <Tr>
                  <Th>{t('grants.roleName')}</Th>
                  <Th>{t('grants.meaning')}</Th>
                  <Th>{t('grants.people')}</Th>
                  <Th>{t('grants.number')}</Th>
                </Tr>
              </Thead>
              <Tbody>
                {data.roles.map(({ role, meaning, users, grants }) => (
                  <Tr key={role}>
                    <Td dataLabel={t('grants.roleName')}>{role}</Td>
                    <Td dataLabel={t('grants.meaning')}>{meaning}</Td>
                    <Td dataLabel={t('grants.people')}>{users}</Td>
                    <Td dataLabel={t('grants.number')}>{grants}</Td>
                  </Tr>
                ))}
              </Tbody>
            </Table>
          )}
        </Loaded>
      </CardBody>
    </Card>
  )
}
