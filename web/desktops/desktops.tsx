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
  const { words, search, all, toggleAll } = useFilter()
  const own = offers.filter((offer) => offer.own)
  const others = offers.length - own.length
  const chosen = all ? offers : own
  const shown = chosen.filter((offer) => isFoundBy(words, offer))
  return (
    <>
      {(others > 0 || offers.length >= MANY) && (
        <div className="berth-offers-tools">
          {chosen.length >= MANY && <Search words={words} search={search} />}
          {others > 0 && (
            <Button variant="link" isInline onClick={toggleAll}>
              {all ? t('desktops.showOwn') : t('desktops.showAll', { others })}
            </Button>
          )}
        </div>
      )}
      {shown.length === 0 ? (
        <None
          searched={words !== ''}
          areOthersHidden={session.role !== 'user' && others > 0 && !all}
        />
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

interface Filter {
  readonly words: string
  readonly search: (words: string) => void
  /** Also what is not theirs. */
  readonly all: boolean
  readonly toggleAll: () => void
}

function useFilter(): Filter {
  const [params, setParams] = useSearchParams()
  const [words, setWords] = useState(params.get('search') ?? '')
  const all = params.get('all') === '1'
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
  const toggleAll = (): void => {
    setParams((now) => {
      all ? now.delete('all') : now.set('all', '1')
      return now
    })
  }
  return { words, search, all, toggleAll }
}

function isFoundBy(words: string, { name, desktop }: Offer): boolean {
  return `${name} ${desktop?.machine ?? ''}`.toLowerCase().includes(words.trim().toLowerCase())
}

function Search({ words, search }: Pick<Filter, 'words' | 'search'>): ReactElement {
  const { t } = useTranslation()
  return (
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
  )
}

/** `areOthersHidden`: there are some that are not theirs, which they may ask for. */
function None({
  searched,
  areOthersHidden,
}: {
  searched: boolean
  areOthersHidden: boolean
}): ReactElement {
  const { t } = useTranslation()
  if (searched)
    return (
      <EmptyState headingLevel="h2" titleText={t('desktops.noneFound')}>
        <EmptyStateBody>{t('desktops.noneFoundWhy')}</EmptyStateBody>
      </EmptyState>
    )
  return (
    <EmptyState headingLevel="h2" titleText={t('desktops.none')}>
      <EmptyStateBody>
        {t(areOthersHidden ? 'desktops.noneWhyAdministrator' : 'desktops.noneWhy')}
      </EmptyStateBody>
    </EmptyState>
  )
}
