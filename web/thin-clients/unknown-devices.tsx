import { Alert, Button, Flex } from '@patternfly/react-core'
import { Fragment, type ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { pageWays } from '../frame/page-ways.js'
import type { Deed } from './deed-dialogue.js'
import { askerLine, nameOf, waitsForSomebody } from './device-state.js'

/** More are in the table below. */
const MOST_SHOWN = 8

interface UnknownDevicesProps {
  readonly devices: readonly ThinClient[]
  readonly onDeed: ((deed: Deed, device: ThinClient) => void) | null
}

/**
 * Devices that get nothing until somebody decides: not accepted, or with no desktop, or one that
 * asks in the place of a device without its key.
 */
export function UnknownDevices({ devices, onDeed }: UnknownDevicesProps): ReactElement | null {
  const { t } = useTranslation()
  const unknown = devices
    .filter((device) => waitsForSomebody(device) || device.askers.length > 0)
    .sort((a, b) => Number(a.accepted) - Number(b.accepted))
  if (unknown.length === 0) return null
  return (
    <Alert
      className="berth-waiting-devices"
      isInline
      variant="warning"
      title={t('thinClients.unknown', { count: unknown.length })}
      component="h2"
    >
      <ul className="berth-unknown">
        {unknown.slice(0, MOST_SHOWN).map((device) => (
          <UnknownDevice key={device.id} device={device} onDeed={onDeed} />
        ))}
      </ul>
      {unknown.length > MOST_SHOWN &&
        t('thinClients.moreUnknown', { count: unknown.length - MOST_SHOWN })}
    </Alert>
  )
}

interface UnknownDeviceProps extends Pick<UnknownDevicesProps, 'onDeed'> {
  readonly device: ThinClient
}

function UnknownDevice({ device, onDeed }: UnknownDeviceProps): ReactElement {
  const { t } = useTranslation()
  const asks = device.askers.length > 0
  return (
    <li>
      <span>
        <Link to={`/thin-clients/${device.id}`}>{nameOf(device)}</Link>{' '}
        <span className="berth-mono">
          {[device.mac, ...(asks ? [] : [device.address])].join(' ')}
        </span>
        {asks && <Askers device={device} />}
        <br />
        <small>
          {device.accepted && asks
            ? t('thinClients.inPlace', { count: device.askers.length })
            : pageWays(t, device.sentence)}
        </small>
      </span>
      {onDeed && <DeedButtons device={device} onDeed={onDeed} />}
    </li>
  )
}

interface DeedButtonsProps {
  readonly device: ThinClient
  readonly onDeed: (deed: Deed, device: ThinClient) => void
}

function DeedButtons({ device, onDeed }: DeedButtonsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Flex columnGap={{ default: 'columnGapSm' }}>
      {(!device.accepted || device.askers.length > 0) && (
        <Button
          size="sm"
          variant="secondary"
          aria-label={t('thinClients.acceptOf', { name: nameOf(device) })}
          onClick={() => {
            onDeed('accept', device)
          }}
        >
          {t('thinClients.deeds.accept')}
        </Button>
      )}
      <Button
        size="sm"
        variant="secondary"
        aria-label={t('thinClients.assignOf', { name: nameOf(device) })}
        onClick={() => {
          onDeed('assign', device)
        }}
      >
        {t('thinClients.deeds.assign')}
      </Button>
    </Flex>
  )
}

/** Each with its code beside its address: that is how the right one is told. */
function Askers({ device: { askers } }: { device: ThinClient }): ReactElement {
  return (
    <>
      {askers.map((asker) => (
        <Fragment key={asker.code}>
          <br />
          <span className="berth-mono">{askerLine(asker)}</span>
        </Fragment>
      ))}
    </>
  )
}
