import type { ReactElement } from 'react'
import type { Session } from '../../broker/api/users.js'

export function ConfirmDevice ({ session }: { session: Session }): ReactElement { return <h1>{session.name}</h1> }
