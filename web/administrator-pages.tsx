import type { ReactElement } from 'react'
import { Route, Routes } from 'react-router'
import type { Session } from '../broker/api/users.js'
import { ApiDocs } from './api-docs/api-docs.js'
import { Audit } from './audit/audit.js'
import { ClientsXml } from './clients-xml/clients-xml.js'
import { ClientsXmlHistoryPage, ClientsXmlVersionPage } from './clients-xml/history.js'
import { Directories } from './directories/directories.js'
import { CheckPage } from './doctor/check-page.js'
import { NothingHere } from './frame/nothing-here.js'
import { AddHypervisor } from './hypervisors/add-hypervisor.js'
import { DrainPage } from './hypervisors/drain-page.js'
import { HypervisorPage } from './hypervisors/hypervisor-page.js'
import { HypervisorsPage } from './hypervisors/hypervisors-page.js'
import { ImagesPage } from './images/images-page.js'
import { AdoptMachine } from './machines/adopt-machine.js'
import { CreateMachine } from './machines/create-machine.js'
import { MachinePage } from './machines/machine-page.js'
import { MachinesPage } from './machines/machines-page.js'
import { Overview } from './overview/overview.js'
import { Grants } from './grants/grants.js'
import { JobPage } from './jobs/job-page.js'
import { Jobs } from './jobs/jobs.js'
import { People } from './people/people.js'
import { PersonPage } from './people/person-page.js'
import { PoolPage } from './pools/pool-page.js'
import { Pools } from './pools/pools.js'
import { DevicePage } from './thin-clients/device-page.js'
import { ThinClients } from './thin-clients/thin-clients.js'

/** The pages of administrators and observers. */
export function AdministratorPages({ session }: { session: Session }): ReactElement {
  // What changes something is an administrator's.
  const forAdmin = (page: ReactElement): ReactElement =>
    session.role === 'admin' ? page : <NothingHere />
  return (
    <Routes>
      <Route path="/overview" element={<Overview />} />
      <Route path="/hypervisors" element={<HypervisorsPage session={session} />} />
      <Route path="/hypervisors/-/new" element={forAdmin(<AddHypervisor />)} />
      <Route path="/hypervisors/:name" element={<HypervisorPage session={session} />} />
      <Route path="/hypervisors/:name/check" element={<CheckPage session={session} />} />
      <Route path="/hypervisors/:name/check/:job" element={<CheckPage session={session} />} />
      <Route path="/hypervisors/:name/drain" element={<DrainPage session={session} />} />
      <Route path="/images" element={<ImagesPage session={session} />} />
      <Route path="/machines" element={<MachinesPage session={session} />} />
      <Route path="/machines/-/new" element={forAdmin(<CreateMachine />)} />
      <Route path="/machines/-/adopt" element={forAdmin(<AdoptMachine />)} />
      <Route path="/machines/:name" element={<MachinePage session={session} />} />
      <Route path="/pools" element={<Pools session={session} />} />
      <Route path="/pools/:name" element={<PoolPage session={session} />} />
      <Route path="/thin-clients" element={<ThinClients session={session} />} />
      <Route path="/thin-clients/:id" element={<DevicePage session={session} />} />
      <Route path="/clients-xml" element={<ClientsXml session={session} />} />
      <Route path="/clients-xml/history" element={<ClientsXmlHistoryPage />} />
      <Route
        path="/clients-xml/history/:id"
        element={<ClientsXmlVersionPage session={session} />}
      />
      <Route path="/people" element={<People session={session} />} />
      <Route path="/people/:name" element={<PersonPage session={session} />} />
      <Route path="/grants" element={<Grants session={session} />} />
      <Route path="/directories" element={<Directories session={session} />} />
      <Route path="/jobs" element={<Jobs />} />
      <Route path="/jobs/:id" element={<JobPage session={session} />} />
      <Route path="/audit" element={<Audit />} />
      <Route path="/api-docs" element={<ApiDocs />} />
      <Route path="*" element={<NothingHere />} />
    </Routes>
  )
}
