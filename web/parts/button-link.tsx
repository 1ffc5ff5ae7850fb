import { Button, type ButtonProps } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { Link } from 'react-router'

/** A link that looks like a button. It is the same element at every drawing, so that it keeps the focus. */
export function ButtonLink ({ to, ...props }: ButtonProps & { to: string }): ReactElement { return <Button {...props} component={Link} {...{ to }} /> }
