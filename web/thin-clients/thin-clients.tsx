import { Button, ToolbarItem } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { pageWays } from '../frame/page-ways.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable, type DataTableProps } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { DeviceActions } from './device-actions.js'
import { type Deed, DeedDialogue } from './deed-dialogue.js'
import { DeviceState, LastSeen, nameOf } from './device-state.js'
import { UnknownDevices } from './unknown-devices.js'

/**
 * Every device that has asked: what it is told, what it shows, and who sits there. Those that wait
 * for an administrator come first.
 */
export function ThinClients({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const devices = useGet<{ thinClients: ThinClient[] }>('/thin-clients', [
    'thin-clients',
    'machines',
    'pools',
  ])
  return (
    <>
      <PageHead title={t('navigation.thinClients')} about={t('thinClients.about')} />
      <Loaded query={devices}>
        {({ thinClients }) => <Listed devices={thinClients} admin={session.role === 'admin'} />}
      </Loaded>
    </>
  )
}

const COLUMNS: ReadonlyArray<ColumnPlan<ThinClient>> = [
  {
    key: 'name',
    name: (t) => t('thinClients.name'),
    cell: (device) => <Link to={`/thin-clients/${device.id}`}>{nameOf(device)}</Link>,
    value: nameOf,
    width: 'minmax(6rem, 1fr)',
  },
  {
    key: 'state',
    name: (t) => t('thinClients.state'),
    cell: (device) => <DeviceState device={device} />,
    value: (device) => device.state ?? '',
    width: 'minmax(7.5rem, 0.8fr)',
  },
  {
    key: 'sentence',
    name: (t) => t('thinClients.sentence'),
    cell: (device, t) => pageWays(t, device.sentence),
    value: (device) => `${device.sentence} ${device.note}`,
    width: 'minmax(8rem, 2fr)',
    wideOnly: true,
    rank: 5,
  },
  {
    key: 'showing',
    name: (t) => t('thinClients.showing'),
    cell: (device) => device.showing ?? '–',
    value: (device) => device.showing ?? '',
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'person',
    name: (t) => t('thinClients.person'),
    cell: (device) => device.person ?? '–',
    value: (device) => device.person ?? '',
    width: 'minmax(5rem, 0.8fr)',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'address',
    name: (t) => t('thinClients.address'),
    cell: (device) => <span className="berth-mono">{device.address}</span>,
    value: (device) => device.address,
    width: '8.5rem',
    wideOnly: true,
    rank: 6,
  },
  {
    key: 'mac',
    name: () => 'MAC',
    cell: (device) => <span className="berth-mono">{device.mac}</span>,
    value: (device) => device.macs.map(({ mac }) => mac).join(' '),
    width: '9.5rem',
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'version',
    name: (t) => t('thinClients.version'),
    cell: (device) => device.version,
    value: (device) => device.version,
    width: '5.5rem',
    wideOnly: true,
    rank: 7,
  },
  {
    key: 'seen',
    name: (t) => t('thinClients.seen'),
    cell: (device) => <LastSeen device={device} />,
    value: (device) => (device.here ? '9' : device.lastSeen),
    width: 'minmax(6.5rem, 0.7fr)',
    wideOnly: true,
    rank: 1,
  },
]

interface ListedProps {
  readonly devices: readonly ThinClient[]
  readonly admin: boolean
}

function Listed({ devices, admin }: ListedProps): ReactElement {
  const [doing, setDoing] = useState<Doing | null>(null)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const chosen = devices.filter(({ id, accepted }) => accepted && selected.has(id))
  const doTo = (deed: Deed, device: ThinClient): void => {
    setDoing({ deed, devices: [device] })
  }
  const forAdmin = {
    tools: <ChosenDeeds chosen={chosen} onDo={setDoing} />,
    selected,
    onSelect: setSelected,
    actions: (device: ThinClient) => (
      <DeviceActions
        device={device}
        onDeed={(deed) => {
          doTo(deed, device)
        }}
      />
    ),
  }
  return (
    <>
      <UnknownDevices devices={devices} onDeed={admin ? doTo : null} />
      <DeviceTable devices={devices} {...(admin ? forAdmin : {})} />
      {doing && (
        <DeedDialogue
          {...doing}
          close={() => {
            setDoing(null)
          }}
        />
      )}
    </>
  )
}

interface Doing {
  readonly deed: Deed
  readonly devices: readonly ThinClient[]
}

function DeviceTable({
  devices,
  ...forAdmin
}: { devices: readonly ThinClient[] } & Pick<
  DataTableProps<ThinClient>,
  'tools' | 'selected' | 'onSelect' | 'actions'
>): ReactElement {
  const { t } = useTranslation()
  const columns = useColumns(COLUMNS)
  return (
    <DataTable<ThinClient>
      label={t('navigation.thinClients')}
      rows={devices}
      columns={columns}
      idOf={({ id }) => id}
      nameOf={nameOf}
      empty={t('thinClients.none')}
      {...forAdmin}
    />
  )
}

interface ChosenDeedsProps {
  readonly chosen: readonly ThinClient[]
  readonly onDo: (doing: Doing) => void
}

function ChosenDeeds({ chosen, onDo }: ChosenDeedsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {(['message', 'reconnect', 'reboot'] as const).map((deed) => (
        <ToolbarItem key={deed}>
          <Button
            variant="secondary"
            isDisabled={chosen.length === 0}
            onClick={() => {
              onDo({ deed, devices: chosen })
            }}
          >
            {t(`thinClients.deeds.${deed}`)}
            {chosen.length > 0 && ` (${chosen.length})`}
          </Button>
        </ToolbarItem>
      ))}
    </>
  )
}
