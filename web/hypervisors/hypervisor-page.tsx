import {
  Alert,
  Button,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Title,
} from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { MachineList } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { useMachineColumns } from '../machines/machine-columns.js'
import '../machines/machines.css'
import { useDesktops } from '../machines/use-machines.js'
import { CheckButton } from '../doctor/check-page.js'
import { LastCheck } from '../doctor/last-check.js'
import { byteText } from '../parts/amounts.js'
import { DataTable } from '../parts/data-table.js'
import { pageWays } from '../frame/page-ways.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'
import { InstallLine } from './add-hypervisor.js'
import { DrainProgress, useDrain } from './drain-page.js'
import { DiskBar, HypervisorLabel, MemoryBar } from './hypervisor-label.js'
import { HypervisorMenu } from './hypervisor-menu.js'
import { Leftovers } from './leftovers.js'

/** One hypervisor: how it is, how full, and the machines on it. */
export function HypervisorPage({ session }: { session: Session }): ReactElement {
  const { name = '' } = useParams()
  const { t } = useTranslation()
  const hypervisor = useGet<Hypervisor>(path`/hypervisors/${name}`, ['hypervisors', 'machines'])
  const machines = useGet<MachineList>(`/machines?hypervisor=${encodeURIComponent(name)}`, [
    'machines',
  ])
  const desktops = useDesktops()
  const columns = useMachineColumns(desktops)
  const shown = useMemo(() => columns.filter(({ key }) => key !== 'hypervisor'), [columns])
  return (
    <>
      <PageHead title={name} above={[{ to: '/hypervisors', name: t('navigation.hypervisors') }]}>
        {session.role === 'admin' && <CheckButton name={name} text={t('doctor.check')} />}
        {hypervisor.data && session.role === 'admin' && (
          <HypervisorMenu
            hypervisor={hypervisor.data}
            machines={machines.data?.machines ?? []}
            desktops={desktops}
          />
        )}
      </PageHead>
      <Loaded query={hypervisor}>
        {(one) => <About hypervisor={one} admin={session.role === 'admin'} />}
      </Loaded>
      <Leftovers name={name} />
      <Title headingLevel="h2" size="lg" className="berth-below">
        {t('hypervisors.itsMachines')}
      </Title>
      <Loaded query={machines}>
        {({ machines: all }) => (
          <DataTable
            label={t('hypervisors.itsMachines')}
            rows={all}
            columns={shown}
            idOf={({ id }) => id}
            nameOf={({ name: one }) => one}
            empty={t('hypervisors.noMachines')}
          />
        )}
      </Loaded>
    </>
  )
}

function About({
  hypervisor: one,
  admin,
}: {
  hypervisor: Hypervisor
  admin: boolean
}): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {one.reason !== '' && (
        <Alert
          isInline
          className="berth-run"
          variant={one.state === 'unreachable' ? 'danger' : 'warning'}
          title={pageWays(t, one.reason)}
        >
          {one.state === 'unreachable' && admin && <InstallLine name={one.name} />}
        </Alert>
      )}
      {one.drain !== null && <Draining name={one.name} />}
      <DescriptionList isHorizontal isCompact columnModifier={{ default: '1Col', xl: '2Col' }}>
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
        {admin && one.state !== 'unreachable' && (
          <Fact name={t('hypervisors.line')}>
            <ShownWhenAsked>
              <InstallLine name={one.name} />
            </ShownWhenAsked>
          </Fact>
        )}
        <Fact name={t('machines.adopt')}>
          <Link to="/machines/-/adopt">{t('machines.adoptTitle')}</Link>
        </Fact>
      </DescriptionList>
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

function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{name}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}
