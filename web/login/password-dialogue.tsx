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
} from '@patternfly/react-core'
import { type FormEvent, type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'

const FORM = 'change-password'

/** Of an account of Berth itself; those of a directory change theirs there. */
export function PasswordDialogue({ close }: { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [oldPassword, setOld] = useState('')
  const [newPassword, setNew] = useState('')
  const change = useAct(async (body: { oldPassword: string; newPassword: string }) => {
    await api('POST', '/password', { body })
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    change.mutate({ oldPassword, newPassword })
  }
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby="password-title">
      <ModalHeader title={t('frame.changePassword')} labelId="password-title" />
      <ModalBody>
        {change.isSuccess ? (
          <Alert variant="success" isInline title={t('login.passwordChanged')} />
        ) : (
          <Form id={FORM} onSubmit={submit}>
            <ErrorAlert error={change.error} />
            <FormGroup label={t('login.oldPassword')} fieldId="old-password" isRequired>
              <TextInput
                id="old-password"
                type="password"
                autoComplete="current-password"
                value={oldPassword}
                onChange={(_event, value) => {
                  setOld(value)
                }}
                isRequired
              />
            </FormGroup>
            <FormGroup label={t('login.newPassword')} fieldId="new-password" isRequired>
              <TextInput
                id="new-password"
                type="password"
                autoComplete="new-password"
                minLength={12}
                value={newPassword}
                onChange={(_event, value) => {
                  setNew(value)
                }}
                isRequired
              />
            </FormGroup>
          </Form>
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
