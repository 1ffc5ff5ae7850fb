import type { ReactElement } from 'react'
import { Route, Routes } from 'react-router'
import type { Session } from '../broker/api/users.js'
import { NothingHere } from './frame/nothing-here.js'

/** The pages of those who look after the house. */
export function HousePages ({ session }: { session: Session }): ReactElement {
  return (
    <Routes>
      <Route path="/overview" element={<h1>{session.name}</h1>} />
      <Route path="*" element={<NothingHere />} />
    </Routes>
  )
}
