import {
  Alert,
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  Grid,
  GridItem,
} from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { TFunction } from 'i18next'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate, useParams } from 'react-router'
import type { ThinClientDetail } from '../../broker/api/thin-clients.js'
import type { AuditEvent, Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { pageWays } from '../frame/page-ways.js'
import { Fact } from '../parts/facts.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { Instant } from '../parts/when.js'
import { type Deed, DeedDialogue } from './deed-dialogue.js'
import { DeviceActions } from './device-actions.js'
import { askerLine, DeviceState, LastSeen, nameOf, OrderLabel } from './device-state.js'

/** One device: what it sees, what it gets and why, what it was told to do, and its history. */
export function DevicePage({ session }: { session: Session }): ReactElement {
  const { id = '' } = useParams()
  const device = useGet<ThinClientDetail>(path`/thin-clients/${id}`, [
    'thin-clients',
    'clients-xml',
  ])
  return (
    <Loaded query={device}>
      {(data) => <Details device={data} admin={session.role === 'admin'} />}
    </Loaded>
  )
}

function Details({ device, admin }: { device: ThinClientDetail; admin: boolean }): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [deed, setDeed] = useState<Deed | null>(null)
  return (
    <>
      <PageHead
        title={nameOf(device)}
        above={[{ to: '/thin-clients', name: t('navigation.thinClients') }]}
        about={pageWays(t, device.sentence)}
      >
        <DeviceState device={device} />
        {admin && <DeviceActions device={device} text={t('table.actions')} onDeed={setDeed} />}
      </PageHead>
      {device.note !== '' && <Alert isInline variant="warning" title={device.note} />}
      <Grid hasGutter className="berth-below">
        <GridItem lg={6}>
          <Facts device={device} />
        </GridItem>
        <GridItem lg={6}>
          <Orders device={device} />
        </GridItem>
        <GridItem>
          <History id={device.id} />
        </GridItem>
      </Grid>
      {deed && (
        <DeedDialogue
          deed={deed}
          devices={[device]}
          close={() => {
            setDeed(null)
          }}
          gone={() => {
            void navigate('/thin-clients')
          }}
        />
      )}
    </>
  )
}

function Facts({ device }: { device: ThinClientDetail }): ReactElement {
  const { t } = useTranslation()
  const rows: ReadonlyArray<readonly [string, ReactElement | string]> = [
    [t('thinClients.showing'), device.showing ?? '–'],
    [t('thinClients.person'), device.person ?? '–'],
    [t('thinClients.assigned'), <Own device={device} />],
    [
      t('thinClients.gets'),
      device.gets.length === 0 ? t('thinClients.getsNothing') : device.gets.join(' → '),
    ],
    [t('thinClients.hostname'), device.hostname === '' ? '–' : device.hostname],
    ['MAC', macsOf(t, device)],
    [t('thinClients.address'), device.address],
    ...(device.askers.length === 0
      ? []
      : [[t('thinClients.asks'), device.askers.map(askerLine).join(', ')] as const]),
    [t('thinClients.version'), device.version],
    [t('thinClients.seen'), <LastSeen device={device} />],
    [t('thinClients.first'), <Instant at={device.firstSeen} />],
  ]
  return (
    <Card isCompact isFullHeight>
      <CardTitle component="h2">{t('thinClients.facts')}</CardTitle>
      <CardBody>
        <DescriptionList isHorizontal isCompact>
          {rows.map(([name, value]) => (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ))}
        </DescriptionList>
      </CardBody>
    </Card>
  )
}

/** The machine or the pool that is its own; else the file says what it gets. */
function Own({ device: { assigned, assignedPool } }: { device: ThinClientDetail }): ReactElement {
  const { t } = useTranslation()
  if (assigned !== null) return <Link to={`/machines/${assigned}`}>{assigned}</Link>
  if (assignedPool === null) return <>{t('thinClients.ways.file')}</>
  return (
    <Link to={`/pools/${assignedPool}`}>
      {t('kinds.pool')} {assignedPool}
    </Link>
  )
}

function macsOf(t: TFunction, { macs, accepted }: ThinClientDetail): string {
  return macs
    .map(({ mac, believed }) =>
      believed || !accepted ? mac : `${mac} (${t('thinClients.notBelieved')})`,
    )
    .join(', ')
}

function Orders({ device: { orders } }: { device: ThinClientDetail }): ReactElement {
  const { t } = useTranslation()
  return (
    <Card isCompact isFullHeight>
      <CardTitle component="h2">{t('thinClients.orders')}</CardTitle>
      <CardBody>
        {orders.length === 0 ? (
          t('thinClients.noOrders')
        ) : (
          <ul className="berth-outcomes">
            {orders.map((order) => (
              <li key={order.id}>
                <OrderLabel order={order} /> <strong>{t(`thinClients.deeds.${order.kind}`)}</strong>{' '}
                {order.text !== '' && `“${order.text}” `}
                <small>
                  <Instant at={order.createdAt} />, {order.by}. {order.sentence}
                </small>
              </li>
            ))}
          </ul>
        )}
      </CardBody>
    </Card>
  )
}

function History({ id }: { id: string }): ReactElement {
  const { t } = useTranslation()
  const events = useGet<{ events: AuditEvent[] }>(
    `/events?limit=50&object=${encodeURIComponent(`thin-client:${id}`)}`,
    ['events'],
  )
  return (
    <Card isCompact>
      <CardTitle component="h2">{t('thinClients.history')}</CardTitle>
      <CardBody>
        <Loaded query={events}>
          {({ events: rows }) => (
            <Table aria-label={t('thinClients.history')} variant="compact">
              <Thead>
                <Tr>
                  <Th>{t('thinClients.at')}</Th>
                  <Th>{t('thinClients.by')}</Th>
                  <Th>{t('thinClients.event')}</Th>
                  <Th>{t('thinClients.detail')}</Th>
                </Tr>
              </Thead>
              <Tbody>
                {rows.map((event) => (
                  <Tr key={event.id}>
                    <Td>
                      <Instant at={event.at} />
                    </Td>
                    <Td>{event.actor}</Td>
                    <Td>
                      {event.action}
                      {event.result !== 'ok' && ` (${event.result})`}
                    </Td>
                    <Td className="berth-mono">
                      {JSON.stringify(event.detail) === '{}' ? '' : JSON.stringify(event.detail)}
                    </Td>
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
