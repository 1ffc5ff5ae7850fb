import type { UseMutationResult } from '@tanstack/react-query'
import type { TFunction } from 'i18next'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Offer } from '../../broker/api/offers.js'
import { api, type ApiError, path } from '../api/client.js'
import { queryClient, useAct } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { Confirm } from '../parts/confirm.js'
import { OFFERS } from './get-desktop.js'
import { type Deed, deedsOf, machineOf } from './offer-state.js'
import type { Opener } from './opener.js'

/** Nothing is lost by these: they are done at once. */
const UNASKED: readonly Deed[] = ['start', 'extend']
const DANGEROUS: readonly Deed[] = ['reset', 'release', 'rebuild']

/** What is done with the machine of a card, one thing at a time. */
export function useDeeds(offer: Offer): UseMutationResult<void, ApiError, Deed> {
  return useAct(async (deed: Deed) => {
    await carryOut(offer, deed)
    await queryClient.invalidateQueries({ queryKey: ['get', OFFERS] })
  })
}

interface CardMenuProps {
  readonly offer: Offer
  readonly opener: Opener
  readonly act: UseMutationResult<void, ApiError, Deed>
}

/**
 * What else they may do with it; what is not permitted is not there. What is refused stands in the
 * card (`act`), or in the question that was confirmed.
 */
export function CardMenu({ offer, opener, act }: CardMenuProps): ReactElement | null {
  const { t } = useTranslation()
  const [asked, setAsked] = useState<Deed | null>(null)
  const deeds = deedsOf(offer)
  if (deeds.length === 0) return null
  const choose = (deed: Deed): void => {
    act.reset()
    opener.forget()
    if (UNASKED.includes(deed)) act.mutate(deed)
    else setAsked(deed)
  }
  return (
    <>
      <Actions
        label={t('desktops.menu', { name: offer.name })}
        isBusy={act.isPending}
        actions={deeds.map(({ deed, now }) => ({
          name: t(`desktops.deeds.${deed}`),
          isDanger: DANGEROUS.includes(deed),
          isDisabled: !now,
          onClick: () => {
            choose(deed)
          },
        }))}
      />
      {asked !== null && (
        <Question
          offer={offer}
          deed={asked}
          act={act}
          close={() => {
            setAsked(null)
          }}
        />
      )}
    </>
  )
}

interface QuestionProps {
  readonly offer: Offer
  readonly deed: Deed
  readonly act: CardMenuProps['act']
  readonly close: () => void
}

/** What is lost by it, and who else is connected. */
function Question({ offer, deed, act, close }: QuestionProps): ReactElement {
  const { t } = useTranslation()
  const machine = machineOf(offer) ?? ''
  const others = offer.connected.filter(({ you }) => !you)
  return (
    <Confirm
      title={t(`desktops.ask.${deed}` as 'desktops.ask.release', { machine })}
      action={t(`desktops.deeds.${deed}`)}
      danger={DANGEROUS.includes(deed)}
      pending={act.isPending}
      error={act.error}
      onConfirm={() => {
        act.mutate(deed, { onSuccess: close })
      }}
      close={() => {
        close()
        act.reset()
      }}
    >
      <p>
        {t(`desktops.askWhy.${deed}` as 'desktops.askWhy.release', {
          machine,
          pool: offer.name,
        })}
      </p>
      {others.length > 0 && (
        <p>
          {t('desktops.askOthers', {
            others: others.map((one) => nameOf(t, one)).join(', '),
          })}
        </p>
      )}
    </Confirm>
  )
}

function nameOf(t: TFunction, { who, device }: Offer['connected'][number]): string {
  if (who === null) return t('desktops.somebody')
  return device ? t('desktops.device', { mac: who }) : who
}

async function carryOut(offer: Offer, deed: Deed): Promise<void> {
  const machine = machineOf(offer) ?? ''
  switch (deed) {
    case 'start':
      if (offer.desktop?.pool != null)
        await api('POST', path`/pools/${offer.desktop.pool}/claim`, { body: {} })
      else await api('POST', path`/machines/${machine}/power`, { body: { action: 'start' } })
      return
    case 'shutdown':
    case 'reset':
      await api('POST', path`/machines/${machine}/power`, { body: { action: deed } })
      return
    case 'extend':
    case 'rebuild':
      await api('POST', path`/machines/${machine}/${deed}`)
      return
    // It was asked whether they mean it, also while they are connected.
    case 'release':
      await api('POST', path`/machines/${machine}/release`, { body: { force: true } })
  }
}
