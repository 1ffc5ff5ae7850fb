import { Label, type LabelProps } from '@patternfly/react-core'
import { CheckCircleIcon } from '@patternfly/react-icons/dist/esm/icons/check-circle-icon'
import { ExclamationCircleIcon } from '@patternfly/react-icons/dist/esm/icons/exclamation-circle-icon'
import { ExclamationTriangleIcon } from '@patternfly/react-icons/dist/esm/icons/exclamation-triangle-icon'
import { InProgressIcon } from '@patternfly/react-icons/dist/esm/icons/in-progress-icon'
import { InfoCircleIcon } from '@patternfly/react-icons/dist/esm/icons/info-circle-icon'
import { MinusCircleIcon } from '@patternfly/react-icons/dist/esm/icons/minus-circle-icon'
import { WrenchIcon } from '@patternfly/react-icons/dist/esm/icons/wrench-icon'
import type { ReactElement } from 'react'

/** How a state is to be felt: said by colour and by picture, never by colour alone. */
export type Feeling = 'good' | 'warning' | 'bad' | 'busy' | 'quiet' | 'maintenance' | 'info'
const LOOKS: Readonly<
  Record<Feeling, { color: NonNullable<LabelProps['color']>; icon: ReactElement }>
> = {
  good: { color: 'green', icon: <CheckCircleIcon /> },
  bad: { color: 'red', icon: <ExclamationCircleIcon /> },
  busy: { color: 'blue', icon: <InProgressIcon /> },
  warning: { color: 'yellow', icon: <ExclamationTriangleIcon /> },
  quiet: { color: 'grey', icon: <MinusCircleIcon /> },
  maintenance: { color: 'orange', icon: <WrenchIcon /> },
  info: { color: 'teal', icon: <InfoCircleIcon /> },
}

export function StateLabel({
  feeling,
  children,
  title,
}: {
  feeling: Feeling
  children: string
  title?: string
}): ReactElement {
  const { color, icon } = LOOKS[feeling]
  return (
    <Label
      isCompact
      color={color}
      icon={icon}
      title={title === undefined || title === '' ? undefined : title}
    >
      {children}
    </Label>
  )
}
