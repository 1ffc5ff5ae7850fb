import { Button, EmptyState, Title } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { ForeignDomain as Domain } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import type { Column } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { AdoptDialogue } from './adopt-dialogue.js'

/**
 * Domains that hypervisors have and Berth does not know; each host is asked for itself, so that a
 * dead one does not hide the others'.
 */
export function AdoptMachine(): ReactElement {
  const { t } = useTranslation()
  const hypervisors = useGet<{ hypervisors: Hypervisor[] }>('/hypervisors', ['hypervisors'])
  return (
    <>
      <PageHead
        title={t('machines.adoptTitle')}
        above={[{ to: '/machines', name: t('navigation.machines') }]}
        about={t('machines.adoptAbout')}
      />
      <Loaded query={hypervisors}>
        {({ hypervisors: all }) =>
          all.length === 0 ? (
            <EmptyState headingLevel="h2" titleText={t('machines.noHypervisors')} />
          ) : (
            <>
              {all.map(({ name }) => (
                <ForeignDomains key={name} hypervisor={name} />
              ))}
            </>
          )
        }
      </Loaded>
    </>
  )
}

function ForeignDomains({ hypervisor }: { hypervisor: string }): ReactElement {
  const { t } = useTranslation()
  const [chosen, setChosen] = useState<Domain | null>(null)
  const domains = useGet<{ domains: Domain[] }>(path`/hypervisors/${hypervisor}/domains`, [
    'hypervisors',
  ])
  const columns = useColumns(setChosen)
  return (
    <section aria-label={hypervisor}>
      <Title headingLevel="h2" size="lg" className="berth-below">
        {hypervisor}
      </Title>
      <Loaded query={domains}>
        {({ domains: all }) => (
          <DataTable
            label={hypervisor}
            rows={all}
            columns={columns}
            idOf={({ name }) => name}
            nameOf={({ name }) => name}
            empty={t('machines.noForeign')}
            prefix={`${hypervisor}-`}
          />
        )}
      </Loaded>
      {chosen && (
        <AdoptDialogue
          domain={chosen}
          close={() => {
            setChosen(null)
          }}
        />
      )}
    </section>
  )
}

/** `choose`: a domain is to be adopted. */
function useColumns(choose: (domain: Domain) => void): ReadonlyArray<Column<Domain>> {
  const { t } = useTranslation()
  return [
    {
      key: 'name',
      name: t('machines.name'),
      value: ({ name }) => name,
      cell: ({ name }) => name,
    },
    {
      key: 'power',
      name: t('machines.power'),
      value: ({ power }) => t(`machines.powers.${power}`),
      cell: ({ power }) => t(`machines.powers.${power}`),
    },
    {
      key: 'adopt',
      name: t('machines.adoption'),
      value: () => '',
      cell: (domain) => (
        <Button
          variant="secondary"
          size="sm"
          onClick={() => {
            choose(domain)
          }}
        >
          {t('machines.adoptOne', { name: domain.name })}
        </Button>
      ),
    },
  ]
}
