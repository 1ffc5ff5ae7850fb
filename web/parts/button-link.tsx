import { Button, type ButtonProps } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { Link } from 'react-router'

/**
 * A link that looks like a button. It is the same element at every drawing, so that it keeps the
 * focus. `from`: what the page that it leads to knows of this one.
 */
export function ButtonLink({
  to,
  from,
  ...props
}: ButtonProps & { to: string; from?: object }): ReactElement {
  return <Button {...props} component={Link} {...({ to, state: from } as object)} />
}
