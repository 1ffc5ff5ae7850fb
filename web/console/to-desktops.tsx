import type { ReactElement } from 'react'
import { Link } from 'react-router'

/** What a button that leads back is made of; one and the same at every drawing, so that it keeps the focus. */
export function ToDesktops (props: object): ReactElement { return <Link {...props} to="/" /> }
