import {
  Button,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { ApiError } from '../api/client.js'
import { ErrorAlert } from '../frame/error-state.js'

export interface ConfirmProps {
  readonly title: string
  /** Says exactly what will happen, and to whom. */
  readonly children: ReactNode
  /** The word on the button: what is done, not "OK". */
  readonly action: string
  readonly danger?: boolean
  /** Must be typed before it can be done: for what nobody gets back. */
  readonly typed?: string
  readonly pending: boolean
  /** Whether it is known whom it would affect; false while that is being asked for. */
  readonly ready?: boolean
  readonly error: ApiError | null
  readonly onConfirm: () => void
  readonly close: () => void
}

/** Asks before something is done that cannot be taken back. Focus goes back to where it was when it closes. */
export function Confirm({
  title,
  children,
  action,
  danger = false,
  typed,
  pending,
  ready = true,
  error,
  onConfirm,
  close,
}: ConfirmProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const [text, setText] = useState('')
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby={id}>
      <ModalHeader
        title={title}
        labelId={id}
        {...(danger ? { titleIconVariant: 'warning' as const } : {})}
      />
      <ModalBody>
        <ErrorAlert error={error} />
        {children}
        {typed !== undefined && <WordToType word={typed} text={text} setText={setText} />}
      </ModalBody>
      <ModalFooter>
        <Button
          variant={danger ? 'danger' : 'primary'}
          onClick={onConfirm}
          isLoading={pending}
          isDisabled={pending || !ready || (typed !== undefined && text !== typed)}
        >
          {action}
        </Button>
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

interface WordToTypeProps {
  readonly word: string
  readonly text: string
  readonly setText: (text: string) => void
}

function WordToType({ word, text, setText }: WordToTypeProps): ReactElement {
  const { t } = useTranslation()
  const label = t('common.typeToConfirm', { text: word })
  return (
    <label className="berth-typed">
      {label}
      <TextInput
        value={text}
        aria-label={label}
        onChange={(_event, value) => {
          setText(value)
        }}
      />
    </label>
  )
}
