import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from '@patternfly/react-core'
import type { ReactElement, ReactNode } from 'react'

/** What is known of a thing, in two columns where there is room. */
export function TwoColumnFacts({ children }: { children: ReactNode }): ReactElement {
  return (
    <DescriptionList isHorizontal isCompact columnModifier={{ default: '1Col', xl: '2Col' }}>
      {children}
    </DescriptionList>
  )
}

/** A line of a DescriptionList. */
export function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{name}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}
