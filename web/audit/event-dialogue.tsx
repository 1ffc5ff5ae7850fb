import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Modal,
  ModalBody,
  ModalHeader,
} from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { AuditEvent } from '../../broker/api/users.js'
import { Instant } from '../parts/when.js'

/** Everything that is known of one event, also what has no room in the table. */
export function EventDialogue({
  event,
  close,
}: {
  event: AuditEvent
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const detail =
    event.detail === null || event.detail === undefined || JSON.stringify(event.detail) === '{}'
      ? '–'
      : JSON.stringify(event.detail, null, 2)
  const rows: ReadonlyArray<readonly [string, ReactElement | string]> = [
    [t('audit.at'), <Instant at={event.at} />],
    [t('audit.actor'), event.actor],
    [t('audit.address'), event.address],
    [t('audit.action'), <span className="berth-mono">{event.action}</span>],
    [t('audit.object'), event.object],
    [t('audit.result'), event.result],
    [t('audit.detail'), <pre className="berth-pre">{detail}</pre>],
  ]
  return (
    <Modal isOpen variant="medium" onClose={close} aria-label={t('audit.event', { id: event.id })}>
      <ModalHeader title={t('audit.event', { id: event.id })} />
      <ModalBody tabIndex={0}>
        <DescriptionList isHorizontal isCompact>
          {rows.map(([name, value]) => (
            <DescriptionListGroup key={name}>
              <DescriptionListTerm>{name}</DescriptionListTerm>
              <DescriptionListDescription>{value === '' ? '–' : value}</DescriptionListDescription>
            </DescriptionListGroup>
          ))}
        </DescriptionList>
      </ModalBody>
    </Modal>
  )
}
