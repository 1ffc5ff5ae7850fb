import { Alert, Button } from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import { path } from '../api/client.js'
import { LastCheck } from '../doctor/last-check.js'
import { pageWays } from '../frame/page-ways.js'
import { byteText } from '../parts/amounts.js'
import { Fact, TwoColumnFacts } from '../parts/facts.js'
import { When } from '../parts/when.js'
import { InstallLine } from './add-hypervisor.js'
import { DrainProgress, useDrain } from './drain-page.js'
import { DiskBar, HypervisorLabel, MemoryBar } from './hypervisor-label.js'

/** How a hypervisor is, how full, and what it is made of. */
export function AboutHypervisor({
  hypervisor: one,
  admin,
}: {
  hypervisor: Hypervisor
  admin: boolean
}): ReactElement {
  const { t } = useTranslation()
  const isAway = one.state === 'unreachable'
  return (
    <>
      {one.reason !== '' && (
        <Alert
          isInline
          className="berth-run"
          variant={isAway ? 'danger' : 'warning'}
          title={pageWays(t, one.reason)}
        >
          {isAway && admin && <InstallLine name={one.name} />}
        </Alert>
      )}
      {one.drain !== null && <Draining name={one.name} />}
      <TwoColumnFacts>
        <StateFacts hypervisor={one} />
        <EquipmentFacts hypervisor={one} />
        {admin && !isAway && (
          <Fact name={t('hypervisors.line')}>
            <ShownWhenAsked>
              <InstallLine name={one.name} />
            </ShownWhenAsked>
          </Fact>
        )}
        <Fact name={t('machines.adopt')}>
          <Link to="/machines/-/adopt">{t('machines.adoptTitle')}</Link>
        </Fact>
      </TwoColumnFacts>
    </>
  )
}

/** How it is and where, and how full. */
function StateFacts({ hypervisor: one }: { hypervisor: Hypervisor }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <Fact name={t('machines.power')}>
        <HypervisorLabel hypervisor={one} />{' '}
        <span className="berth-quiet">
          <When at={one.since} />
        </span>
      </Fact>
      <Fact name={t('doctor.last')}>
        <LastCheck name={one.name} />
      </Fact>
      <Fact name={t('hypervisors.address')}>
        <span className="berth-mono">
          {one.address}:{one.port}
        </span>
      </Fact>
      <Fact name={t('hypervisors.memory')}>
        <MemoryBar hypervisor={one} />
      </Fact>
      <Fact name={t('hypervisors.displayAddress')}>
        <span className="berth-mono">{one.displayAddress}</span>
      </Fact>
      <Fact name={t('hypervisors.listensOn')}>
        <span className="berth-mono">
          {one.listenAddress}
          {one.listenAddressSetting === 'auto' && ' (auto)'}
        </span>
      </Fact>
      <Fact name={t('hypervisors.disk')}>
        <DiskBar hypervisor={one} />
      </Fact>
      <Fact name={t('hypervisors.overlaysFree')}>
        {one.capacity === null ? '–' : byteText(one.capacity.overlaysFreeBytes)}
      </Fact>
    </>
  )
}

function EquipmentFacts({ hypervisor: one }: { hypervisor: Hypervisor }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <Fact name={t('machines.vcpus')}>{one.capacity?.cores ?? '–'}</Fact>
      <Fact name={t('hypervisors.virt')}>{one.virtType ?? '–'}</Fact>
      <Fact name={t('hypervisors.maxStarts')}>{one.maxStarts}</Fact>
      <Fact name={t('hypervisors.versions')}>
        {one.versions === null
          ? '–'
          : `libvirt ${one.versions.libvirt}, QEMU ${one.versions.qemu}, berth-helper ${one.versions.helper}`}
      </Fact>
      <Fact name={t('hypervisors.directories')}>
        <span className="berth-mono">{Object.values(one.directories).join(' ')}</span>
      </Fact>
      <Fact name={t('hypervisors.hostKey')}>
        <span className="berth-mono">{one.hostKeyFingerprint}</span>
      </Fact>
    </>
  )
}

/** What is seldom needed is asked for only when it is. */
function ShownWhenAsked({ children }: { children: ReactNode }): ReactElement {
  const { t } = useTranslation()
  const [shown, setShown] = useState(false)
  return shown ? (
    <>{children}</>
  ) : (
    <Button
      variant="link"
      isInline
      onClick={() => {
        setShown(true)
      }}
    >
      {t('common.show')}
    </Button>
  )
}

function Draining({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const state = useDrain(name)
  return (
    <>
      {state.data && <DrainProgress name={name} state={state.data} />}
      <p>
        <Link to={path`/hypervisors/${name}/drain`}>{t('drain.title', { name })}</Link>
      </p>
    </>
  )
}
