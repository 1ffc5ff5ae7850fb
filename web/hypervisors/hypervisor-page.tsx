import { Title } from '@patternfly/react-core'
import { type ReactElement, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { MachineList } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { useMachineColumns } from '../machines/machine-columns.js'
import '../machines/machines.css'
import { useDesktops } from '../machines/use-machines.js'
import { CheckButton } from '../doctor/check-page.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { AboutHypervisor } from './about-hypervisor.js'
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
        {(one) => <AboutHypervisor hypervisor={one} admin={session.role === 'admin'} />}
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
