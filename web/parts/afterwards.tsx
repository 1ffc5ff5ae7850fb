import { Alert, Button, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { type ReactElement, useId } from 'react'
import { useTranslation } from 'react-i18next'

/** What the broker warned of when it had done something: it is done, and somebody should still read this. */
export function Afterwards({
  title,
  warnings,
  close,
}: {
  title: string
  warnings: readonly string[]
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby={id}>
      <ModalHeader title={title} labelId={id} />
      <ModalBody>
        {warnings.map((warning) => (
          <Alert key={warning} isInline variant="warning" title={t('common.doneButLook')}>
            {warning}
          </Alert>
        ))}
      </ModalBody>
      <ModalFooter>
        <Button onClick={close}>{t('common.close')}</Button>
      </ModalFooter>
    </Modal>
  )
}
