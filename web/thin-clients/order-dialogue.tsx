import { Alert, Button, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { type ReactElement, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { OrderKind, OrderState } from '../../broker/api/device-orders.js'
import type { ThinClient, ThinClientDetail } from '../../broker/api/thin-clients.js'
import { api, ApiError, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert, sentenceOf } from '../frame/error-state.js'
import { ChoiceField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { nameOf, OrderLabel } from './device-state.js'

const MOST_NAMED = 12
const MOST_AT_ONCE = 8
/** Of a message. */
const MOST_CHARACTERS = 500
const SECONDS = ['20', '60', '300', '900'] as const
/** Of one device: its order, or why it got none. */
type Given =
  | { readonly device: ThinClient; readonly order: OrderState }
  | { readonly device: ThinClient; readonly error: ApiError }

interface Message {
  readonly text: string
  readonly seconds: (typeof SECONDS)[number]
}

interface OrderDialogueProps {
  readonly kind: OrderKind
  readonly devices: readonly ThinClient[]
  readonly close: () => void
}

/** A message, a reconnect or a restart for these devices: says who is affected, and then what became of it at each. */
export function OrderDialogue({ kind, devices, close }: OrderDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [message, setMessage] = useState<Message>({ text: '', seconds: '60' })
  const give = useAct(
    async () =>
      await giveAll(
        devices,
        kind,
        kind === 'message'
          ? { text: message.text.trim(), seconds: Number(message.seconds) }
          : undefined,
      ),
  )
  if (give.data) return <Outcomes given={give.data} kind={kind} close={close} />
  return (
    <FormDialogue
      title={t(`thinClients.${kind}Title`, { count: devices.length })}
      action={t(`thinClients.deeds.${kind}`)}
      pending={give.isPending}
      error={give.error}
      isDisabled={kind === 'message' && message.text.trim() === ''}
      onSubmit={() => {
        give.mutate(undefined)
      }}
      close={close}
    >
      <p>
        {devices.slice(0, MOST_NAMED).map(nameOf).join(', ')}
        {devices.length > MOST_NAMED &&
          ` ${t('thinClients.andMore', { count: devices.length - MOST_NAMED })}`}
      </p>
      {kind === 'message' ? (
        <MessageFields message={message} onChange={setMessage} />
      ) : (
        <>
          <p>{t(`thinClients.${kind}What`)}</p>
          <WhoSits devices={devices} />
        </>
      )}
    </FormDialogue>
  )
}

interface MessageFieldsProps {
  readonly message: Message
  readonly onChange: (message: Message) => void
}

/** Its text, which is one line, and how long it is shown. */
function MessageFields({ message, onChange }: MessageFieldsProps): ReactElement {
  const { t } = useTranslation()
  const { text, seconds } = message
  return (
    <>
      <TextField
        label={t('thinClients.text')}
        value={text}
        onChange={(typed) => {
          onChange({ text: typed.replace(/\s*\n\s*/g, ' ').slice(0, MOST_CHARACTERS), seconds })
        }}
        isRequired
        multiline
        hint={t('thinClients.textHint', { left: MOST_CHARACTERS - text.length })}
      />
      <ChoiceField
        label={t('thinClients.howLong')}
        value={seconds}
        onChange={(chosen) => {
          onChange({ text, seconds: chosen })
        }}
        choices={SECONDS.map((value) => ({ value, name: t(`thinClients.seconds.${value}`) }))}
      />
    </>
  )
}

/** Those who are interrupted by it. */
function WhoSits({ devices }: Pick<OrderDialogueProps, 'devices'>): ReactElement | null {
  const { t } = useTranslation()
  const sitting = devices.filter(({ person, showing }) => person !== null || showing !== null)
  if (sitting.length === 0) return null
  return (
    <Alert
      isInline
      isPlain
      variant="warning"
      title={t('thinClients.sitting', {
        list: sitting
          .slice(0, MOST_NAMED)
          .map((device) => `${nameOf(device)}: ${device.person ?? device.showing ?? ''}`)
          .join(', '),
      })}
    />
  )
}

/** A few at a time; one that is refused stops none of the others. */
async function giveAll(
  devices: readonly ThinClient[],
  kind: OrderKind,
  body: object | undefined,
): Promise<Given[]> {
  const given: Given[] = []
  for (let from = 0; from < devices.length; from += MOST_AT_ONCE) {
    given.push(
      ...(await Promise.all(
        devices.slice(from, from + MOST_AT_ONCE).map(async (device): Promise<Given> => {
          try {
            return {
              device,
              order: await api<OrderState>(
                'POST',
                path`/thin-clients/${device.id}/` + kind,
                body === undefined ? {} : { body },
              ),
            }
          } catch (error) {
            if (error instanceof ApiError) return { device, error }
            throw error
          }
        }),
      )),
    )
  }
  return given
}

function Outcomes({
  given,
  kind,
  close,
}: {
  given: readonly Given[]
  kind: OrderKind
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  return (
    <Modal isOpen variant="medium" onClose={close} aria-labelledby={id}>
      <ModalHeader title={t(`thinClients.deeds.${kind}`)} labelId={id} />
      <ModalBody>
        <ul className="berth-outcomes" aria-live="polite">
          {given.map((one) => (
            <li key={one.device.id}>
              <strong>{nameOf(one.device)}</strong>{' '}
              {'order' in one ? (
                <Outcome device={one.device} order={one.order} />
              ) : (
                sentenceOf(t, one.error)
              )}
            </li>
          ))}
        </ul>
      </ModalBody>
      <ModalFooter>
        <Button onClick={close}>{t('common.close')}</Button>
      </ModalFooter>
    </Modal>
  )
}

/** As it is now: the broker tells when the device has said what it did. */
function Outcome({ device, order }: { device: ThinClient; order: OrderState }): ReactElement {
  const detail = useGet<ThinClientDetail>(path`/thin-clients/${device.id}`, ['thin-clients'])
  const now = detail.data?.orders.find(({ id }) => id === order.id) ?? order
  return (
    <>
      <OrderLabel order={now} /> {now.sentence}
      <ErrorAlert error={detail.error} />
    </>
  )
}
