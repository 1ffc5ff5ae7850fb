import { Button, EmptyState, EmptyStateBody, Gallery, SearchInput } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import type { Offer, OfferList } from '../../broker/api/offers.js'
import type { Session } from '../../broker/api/users.js'
import { useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import './desktops.css'
import { OFFERS, OFFERS_TOPICS } from './get-desktop.js'
import { OfferCard } from './offer-card.js'

/** From so many cards on, they are searched. */
const MANY = 9

/** Everything that a person may use, a card each, and nothing else. */
export function Desktops({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const offers = useGet<OfferList>(OFFERS, OFFERS_TOPICS)
  return (
    <>
      <PageHead title={t('desktops.title')} />
      <Loaded query={offers}>{(data) => <Cards offers={data.offers} session={session} />}</Loaded>
    </>
  )
}

/**
 * What they have or were granted; the rest, which only an administrator sees, when it is asked for. The
 * address says which.
 */
function Cards({ offers, session }: { offers: readonly Offer[]; session: Session }): ReactElement {
  const { t } = useTranslation()
  const [params, setParams] = useSearchParams()
  const [words, setWords] = useState(params.get('search') ?? '')
  const all = params.get('all') === '1'
  const own = offers.filter((offer) => offer.own)
  const others = offers.length - own.length
  const shown = (all ? offers : own).filter(({ name, desktop }) =>
    `${name} ${desktop?.machine ?? ''}`.toLowerCase().includes(words.trim().toLowerCase()),
  )
  const search = (text: string): void => {
    setWords(text)
    setParams(
      (now) => {
        text === '' ? now.delete('search') : now.set('search', text)
        return now
      },
      { replace: true },
    )
  }
  const toggle = (): void => {
    setParams((now) => {
      all ? now.delete('all') : now.set('all', '1')
      return now
    })
  }
  return (
    <>
      {(others > 0 || offers.length >= MANY) && (
        <div className="berth-offers-tools">
          {(all ? offers : own).length >= MANY && (
            <SearchInput
              aria-label={t('desktops.search')}
              placeholder={t('desktops.search')}
              value={words}
              onChange={(_event, value) => {
                search(value)
              }}
              onClear={() => {
                search('')
              }}
              resetButtonLabel={t('desktops.searchClear')}
            />
          )}
          {others > 0 && (
            <Button variant="link" isInline onClick={toggle}>
              {all ? t('desktops.showOwn') : t('desktops.showAll', { others })}
            </Button>
          )}
        </div>
      )}
      {shown.length === 0 ? (
        <EmptyState
          headingLevel="h2"
          titleText={words === '' ? t('desktops.none') : t('desktops.noneFound')}
        >
          <EmptyStateBody>
            {words === ''
              ? session.role === 'user' || others === 0 || all
                ? t('desktops.noneWhy')
                : t('desktops.noneWhyHouse')
              : t('desktops.noneFoundWhy')}
          </EmptyStateBody>
        </EmptyState>
      ) : (
        <Gallery component="ul" hasGutter className="berth-offers" aria-label={t('desktops.title')}>
          {shown.map((offer) => (
            <li key={`${offer.kind} ${offer.name}`}>
              <OfferCard offer={offer} />
            </li>
          ))}
        </Gallery>
      )}
    </>
  )
}
