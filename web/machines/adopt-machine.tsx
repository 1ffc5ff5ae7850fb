import {
  Button,
  EmptyState,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  Title,
} from '@patternfly/react-core'
import { useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import {
  type ForeignDomain as Domain,
  MACHINE_TYPES,
  type MachinesAndJob,
  type MachineType,
} from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { DataTable } from '../parts/data-table.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { ChoiceField } from './fields.js'
import { PARENT_TYPE } from './machine-wish.js'
import { useMachines } from './use-machines.js'

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
  const columns = [
    {
      key: 'name',
      name: t('machines.name'),
      value: ({ name }: Domain) => name,
      cell: ({ name }: Domain) => name,
    },
    {
      key: 'power',
      name: t('machines.power'),
      value: ({ power }: Domain) => t(`machines.powers.${power}`),
      cell: ({ power }: Domain) => t(`machines.powers.${power}`),
    },
    {
      key: 'adopt',
      name: t('machines.adoption'),
      value: () => '',
      cell: (domain: Domain) => (
        <Button
          variant="secondary"
          size="sm"
          onClick={() => {
            setChosen(domain)
          }}
        >
          {t('machines.adoptOne', { name: domain.name })}
        </Button>
      ),
    },
  ]
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

interface AdoptDialogueProps {
  readonly domain: Domain
  readonly close: () => void
}

function AdoptDialogue({ domain, close }: AdoptDialogueProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const navigate = useNavigate()
  const client = useQueryClient()
  const [type, setType] = useState<MachineType>('simple')
  const [parent, setParent] = useState('')
  const parents = (useMachines().data?.machines ?? []).filter(
    (one) => one.type === PARENT_TYPE[type],
  )
  const adopt = useAct(
    async () =>
      await api<MachinesAndJob>('POST', '/machines/adopt', {
        body: {
          hypervisor: domain.hypervisor,
          name: domain.name,
          type,
          ...(parent === '' ? {} : { parent }),
        },
      }),
  )
  const done = (): void => {
    void client.invalidateQueries({
      queryKey: ['get', path`/hypervisors/${domain.hypervisor}/domains`],
    })
    void navigate(path`/machines/${domain.name}`)
  }
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby={id}>
      <ModalHeader title={t('machines.adoptOne', { name: domain.name })} labelId={id} />
      <ModalBody>
        <ErrorAlert error={adopt.error} />
        <ChoiceField
          id="adopt-type"
          label={t('machines.type')}
          value={type}
          set={(value) => {
            setType(value as MachineType)
            setParent('')
          }}
          options={MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))}
          about={t(`machines.typeMeanings.${type}`)}
        />
        {PARENT_TYPE[type] !== null && (
          <ChoiceField
            id="adopt-parent"
            label={t('machines.parent')}
            value={parent}
            set={setParent}
            options={[
              { value: '', name: t('machines.chooseParent') },
              ...parents.map(({ name }) => ({ value: name, name })),
            ]}
          />
        )}
      </ModalBody>
      <ModalFooter>
        <Button
          isLoading={adopt.isPending}
          isDisabled={adopt.isPending}
          onClick={() => {
            adopt.mutate(undefined, { onSuccess: done })
          }}
        >
          {t('machines.adoptButton')}
        </Button>
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}
