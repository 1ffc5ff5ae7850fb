import type { ReactElement } from 'react'
import { Route, Routes } from 'react-router'
import type { Session } from '../broker/api/users.js'
import { NothingHere } from './frame/nothing-here.js'
import { AddHypervisor } from './hypervisors/add-hypervisor.js'
import { HypervisorPage } from './hypervisors/hypervisor-page.js'
import { HypervisorsPage } from './hypervisors/hypervisors-page.js'
import { ImagesPage } from './images/images-page.js'
import { AdoptMachine } from './machines/adopt-machine.js'
import { CreateMachine } from './machines/create-machine.js'
import { MachinePage } from './machines/machine-page.js'
import { MachinesPage } from './machines/machines-page.js'
import { Overview } from './overview/overview.js'

/** The pages of those who look after the house. */
export function HousePages ({ session }: { session: Session }): ReactElement {
  return (
    <Routes>
      <Route path="/overview" element={<Overview />} />
      <Route path="/hypervisors" element={<HypervisorsPage session={session} />} />
      <Route path="/hypervisors/-/new" element={<AddHypervisor />} />
      <Route path="/hypervisors/:name" element={<HypervisorPage session={session} />} />
      <Route path="/images" element={<ImagesPage session={session} />} />
      <Route path="/machines" element={<MachinesPage session={session} />} />
      <Route path="/machines/-/new" element={<CreateMachine />} />
      <Route path="/machines/-/adopt" element={<AdoptMachine />} />
      <Route path="/machines/:name" element={<MachinePage session={session} />} />
      <Route path="*" element={<NothingHere />} />
    </Routes>
  )
}
