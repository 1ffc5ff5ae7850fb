import {
  Button,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  Spinner,
  Title,
} from '@patternfly/react-core'
import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { type ReactElement, useId } from 'react'
import { useTranslation } from 'react-i18next'
import type { ClientsXmlCheck, DeviceEffect } from '../../broker/api/clients-xml.js'
import { api, type ApiError } from '../api/client.js'
import { queryClient, useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { DiffView } from './diff-view.js'
import type { Draft } from './draft.js'

interface SaveDialogueProps {
  readonly draft: Draft
  readonly before: string
  readonly saved: () => void
  readonly close: () => void
}

/** What changes in the file, and at which devices, before it is in force. */
export function SaveDialogue({ draft, before, saved, close }: SaveDialogueProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const check = useCheck(draft)
  const save = useAct(
    async () => await api('PUT', '/clients-xml', { body: { text: draft.text, have: draft.etag } }),
  )
  const put = (): void => {
    save.mutate(undefined, {
      onSuccess: () => {
        void queryClient.invalidateQueries({ queryKey: ['get', '/clients-xml'] }).then(saved)
        close()
      },
    })
  }
  return (
    <Modal isOpen variant="large" onClose={close} aria-labelledby={id}>
      <ModalHeader title={t('clientsXml.saveTitle')} labelId={id} />
      <ModalBody>
        <ErrorAlert error={save.error ?? check.error} />
        <DiffView before={before} after={draft.text} />
        <Title headingLevel="h2" size="md" className="berth-below">
          {t('clientsXml.effects')}
        </Title>
        {check.isPending && <Spinner size="md" aria-label={t('common.loading')} />}
        {check.data && <Effects effects={check.data.effects} />}
      </ModalBody>
      <ModalFooter>
        <Button
          onClick={put}
          isLoading={save.isPending}
          isDisabled={save.isPending || check.data === undefined}
        >
          {t('clientsXml.save')}
        </Button>
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

/** What the broker would say to it, and at which devices something would change. */
function useCheck({ text }: Draft): UseQueryResult<ClientsXmlCheck, ApiError> {
  return useQuery<ClientsXmlCheck, ApiError>({
    queryKey: ['clients-xml-effects', text],
    queryFn: async () =>
      await api('POST', '/clients-xml/check', { body: { text, devices: true }, background: true }),
    gcTime: 0,
  })
}

function Effects({ effects }: { effects: ClientsXmlCheck['effects'] }): ReactElement {
  const { t } = useTranslation()
  if (!effects || effects.count === 0) return <p>{t('clientsXml.noEffects')}</p>
  const gets = (targets: readonly string[]): string =>
    targets.length === 0 ? t('clientsXml.nothing') : targets.join(', ')
  const what = (device: DeviceEffect): string =>
    device.viewer ? t('clientsXml.viewerOnly') : `${gets(device.now)} → ${gets(device.then)}`
  return (
    <>
      <p>{t('clientsXml.effectCount', { count: effects.count })}</p>
      <ul>
        {effects.devices.map((device) => (
          <li key={device.id}>
            <strong>{device.hostname === '' ? device.mac : device.hostname}</strong>{' '}
            <span className="berth-mono">{device.mac}</span>: {what(device)}
          </li>
        ))}
      </ul>
    </>
  )
}
