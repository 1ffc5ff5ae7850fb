import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { AcceptRequest, ThinClient } from '../../broker/api/thin-clients.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ChoiceField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { askerLine, nameOf } from './device-state.js'

const WAYS = ['same', 'new'] as const

interface AcceptDialogueProps {
  readonly device: ThinClient
  readonly close: () => void
}

/** Whoever asks now, with the code on its screen; where several do, one is chosen. What is sent is what was seen. */
export function AcceptDialogue({ device, close }: AcceptDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [askers] = useState(device.askers)
  const [code, setCode] = useState(askers.length === 1 ? (askers[0]?.code ?? '') : '')
  const [way, setWay] = useState<(typeof WAYS)[number]>('same')
  const accept = useAct(async () => {
    const body: AcceptRequest = {
      // Nobody asked: then it is the device at the address that was seen, and not who has come since.
      ...(code === '' ? { address: device.address } : { code }),
      ...(way === 'new' ? { asNew: true } : {}),
    }
    await api('POST', path`/thin-clients/${device.id}/accept`, { body })
  })
  return (
    <FormDialogue
      title={t('thinClients.acceptTitle', { name: nameOf(device) })}
      action={t('thinClients.deeds.accept')}
      pending={accept.isPending}
      error={accept.error}
      isDisabled={askers.length > 1 && code === ''}
      onSubmit={() => {
        accept.mutate(undefined, { onSuccess: close })
      }}
      close={close}
    >
      <p>{t('thinClients.acceptWhat', { mac: device.mac, address: device.address })}</p>
      {askers.length === 0 ? (
        <p>{t('thinClients.noAskers')}</p>
      ) : (
        <AskerField askers={askers} code={code} choose={setCode} />
      )}
      {device.accepted && askers.length > 0 && (
        <ChoiceField
          label={t('thinClients.acceptAs')}
          value={way}
          onChange={setWay}
          choices={WAYS.map((value) => ({ value, name: t(`thinClients.acceptWays.${value}`) }))}
        />
      )}
    </FormDialogue>
  )
}

interface AskerFieldProps {
  readonly askers: ThinClient['askers']
  readonly code: string
  readonly choose: (code: string) => void
}

function AskerField({ askers, code, choose }: AskerFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ChoiceField
      label={t('thinClients.askers', { count: askers.length })}
      value={code}
      onChange={choose}
      choices={[
        ...(askers.length > 1 ? [{ value: '', name: t('thinClients.chooseAsker') }] : []),
        ...askers.map((asker) => ({ value: asker.code, name: askerLine(asker) })),
      ]}
      hint={t('thinClients.askersHint')}
    />
  )
}
