import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { type FormEvent, type ReactElement, type ReactNode, useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { ApiError } from '../api/client.js'
import { ErrorAlert } from '../frame/error-state.js'

export interface FormDialogueProps {
  readonly title: string
  readonly action: string
  readonly pending: boolean
  readonly error: ApiError | null
  readonly isDisabled?: boolean
  readonly wide?: boolean
  readonly onSubmit: () => void
  readonly close: () => void
  readonly children: ReactNode
}

/**
 * A form over the page; Enter sends it, Escape closes it, and what the broker refuses stands above
 * it with nothing lost.
 */
export function FormDialogue({
  title,
  action,
  pending,
  error,
  isDisabled = false,
  wide = false,
  onSubmit,
  close,
  children,
}: FormDialogueProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!pending && !isDisabled) onSubmit()
  }
  return (
    <Modal
      isOpen
      variant={wide ? 'medium' : 'small'}
      onClose={close}
      aria-labelledby={`${id}-title`}
    >
      <ModalHeader title={title} labelId={`${id}-title`} />
      <ModalBody>
        <Form id={`${id}-form`} onSubmit={submit}>
          <ErrorAlert error={error} />
          {children}
        </Form>
      </ModalBody>
      <ModalFooter>
        <SubmitButton
          form={`${id}-form`}
          name={action}
          isPending={pending}
          isDisabled={isDisabled}
        />
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

interface SubmitButtonProps {
  readonly form: string
  readonly name: string
  readonly isPending: boolean
  readonly isDisabled: boolean
}

/** Stands in the foot of the dialogue, outside its form. */
function SubmitButton({ form, name, isPending, isDisabled }: SubmitButtonProps): ReactElement {
  return (
    <Button type="submit" form={form} isLoading={isPending} isDisabled={isPending || isDisabled}>
      {name}
    </Button>
  )
}
