import {
  Alert,
  Button,
  Form,
  FormGroup,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  TextInput,
  type TextInputProps,
} from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api, type ApiError } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'

const FORM = 'change-password'
/** As the broker wants it. */
const LEAST_CHARACTERS = 12

interface Passwords {
  readonly oldPassword: string
  readonly newPassword: string
}

/** Of an account of Berth itself; those of a directory change theirs there. */
export function PasswordDialogue({ close }: { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const change = useAct(async (body: Passwords) => {
    await api('POST', '/password', { body })
  })
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby="password-title">
      <ModalHeader title={t('frame.changePassword')} labelId="password-title" />
      <ModalBody>
        {change.isSuccess ? (
          <Alert variant="success" isInline title={t('login.passwordChanged')} />
        ) : (
          <PasswordForm
            error={change.error}
            submit={(passwords) => {
              change.mutate(passwords)
            }}
          />
        )}
      </ModalBody>
      <ModalFooter>
        {!change.isSuccess && (
          <Button
            type="submit"
            form={FORM}
            isLoading={change.isPending}
            isDisabled={change.isPending}
          >
            {t('frame.changePassword')}
          </Button>
        )}
        <Button variant="link" onClick={close}>
          {t('common.close')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

interface PasswordFormProps {
  readonly error: ApiError | null
  readonly submit: (passwords: Passwords) => void
}

function PasswordForm({ error, submit }: PasswordFormProps): ReactElement {
  const { t } = useTranslation()
  const [oldPassword, setOld] = useState('')
  const [newPassword, setNew] = useState('')
  return (
    <Form
      id={FORM}
      onSubmit={(event) => {
        event.preventDefault()
        submit({ oldPassword, newPassword })
      }}
    >
      <ErrorAlert error={error} />
      <PasswordField
        id="old-password"
        label={t('login.oldPassword')}
        value={oldPassword}
        onChange={setOld}
        autoComplete="current-password"
      />
      <PasswordField
        id="new-password"
        label={t('login.newPassword')}
        value={newPassword}
        onChange={setNew}
        autoComplete="new-password"
        minLength={LEAST_CHARACTERS}
      />
    </Form>
  )
}

type PasswordFieldProps = Pick<TextInputProps, 'autoComplete' | 'minLength'> & {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
}

function PasswordField({ id, label, onChange, ...input }: PasswordFieldProps): ReactElement {
  return (
    <FormGroup label={label} fieldId={id} isRequired>
      <TextInput
        {...input}
        id={id}
        type="password"
        onChange={(_event, value) => {
          onChange(value)
        }}
        isRequired
      />
    </FormGroup>
  )
}
