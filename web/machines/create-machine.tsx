import {
  ActionGroup,
  Button,
  ExpandableSection,
  Form,
  FormGroup,
  FormSection,
  TextArea,
} from '@patternfly/react-core'
import { type FormEvent, type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import {
  FIRMWARES,
  type Machine,
  MACHINE_TYPES,
  type MachinesAndJob,
  type MachineType,
} from '../../broker/api/machines.js'
import { api } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { useParam } from '../parts/choice-filter.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { ChoiceField, ManyField } from '../parts/fields.js'
import { HardwareFields } from './hardware-fields.js'
import { KindFields, type WishProps } from './kind-fields.js'
import { FIRST_WISH, PARENT_TYPE, type Wish, wishOf } from './machine-wish.js'
import { useMachines } from './use-machines.js'

/** A form for one machine or for many. */
export function CreateMachine(): ReactElement {
  const { t } = useTranslation()
  const machines = useMachines()
  const hypervisors = useGet<{ hypervisors: Hypervisor[] }>('/hypervisors', ['hypervisors'])
  return (
    <>
      <PageHead
        title={t('machines.createTitle')}
        above={[{ to: '/machines', name: t('navigation.machines') }]}
        about={t('machines.createAbout')}
      />
      <Loaded query={machines}>
        {({ machines: all }) => (
          <Loaded query={hypervisors}>
            {(hosts) => <CreateForm machines={all} hypervisors={hosts.hypervisors} />}
          </Loaded>
        )}
      </Loaded>
    </>
  )
}

interface CreateFormProps {
  readonly machines: readonly Machine[]
  readonly hypervisors: readonly Hypervisor[]
}

function CreateForm({ machines, hypervisors }: CreateFormProps): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [wish, setWish] = useState(useFirstWish(hypervisors))
  const set = (change: Partial<Wish>): void => {
    setWish((before) => ({ ...before, ...change }))
  }
  const create = useAct(
    async () => await api<MachinesAndJob>('POST', '/machines', { body: wishOf(wish) }),
  )
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    create.mutate(undefined, {
      onSuccess: ({ job }) => {
        void navigate(`/machines${job === null ? '' : `?job=${job}`}`)
      },
    })
  }
  return (
    <Form className="berth-form" onSubmit={submit}>
      <KindFields wish={wish} set={set} machines={machines} />
      <Places wish={wish} set={set} hypervisors={hypervisors} />
      <Hardware wish={wish} set={set} />
      <ErrorAlert error={create.error} />
      <ActionGroup>
        <Button
          type="submit"
          isLoading={create.isPending}
          isDisabled={create.isPending || !isWhole(wish)}
        >
          {t('machines.createCount', { count: Number(wish.count) || 1 })}
        </Button>
        <Button
          variant="link"
          onClick={() => {
            void navigate('/machines')
          }}
        >
          {t('common.cancel')}
        </Button>
      </ActionGroup>
    </Form>
  )
}

/** What stands in the form at first: type and parent as the address says, the only hypervisor. */
function useFirstWish(hypervisors: readonly Hypervisor[]): Wish {
  const [type] = useParam('type')
  const [parent] = useParam('parent')
  return {
    ...FIRST_WISH,
    ...(MACHINE_TYPES.includes(type as MachineType) ? { type: type as MachineType } : {}),
    parent,
    hypervisors: hypervisors.length === 1 ? hypervisors.map(({ name }) => name) : [],
  }
}

function isWhole({ name, hypervisors, type, parent }: Wish): boolean {
  return name !== '' && hypervisors.length > 0 && (PARENT_TYPE[type] === null || parent !== '')
}

function Places({
  wish,
  set,
  hypervisors,
}: WishProps & { hypervisors: readonly Hypervisor[] }): ReactElement {
  const { t } = useTranslation()
  return (
    <FormSection title={t('machines.where')} titleElement="h2">
      <ManyField
        label={t('navigation.hypervisors')}
        isRequired
        value={wish.hypervisors}
        onChange={(chosen) => {
          const names = hypervisors.map(({ name }) => name)
          set({ hypervisors: names.filter((name) => chosen.includes(name)) })
        }}
        choices={hypervisors.map(({ name, state }) => ({
          value: name,
          name,
          ...(state === 'up' ? {} : { about: t(`hypervisors.states.${state}`) }),
        }))}
        hint={hypervisors.length === 0 ? t('machines.noHypervisors') : ''}
      />
    </FormSection>
  )
}

function Hardware({ wish, set }: WishProps): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <FormSection title={t('machines.hardware')} titleElement="h2">
      <HardwareFields wish={wish} set={set} />
      <ChoiceField
        label={t('machines.firmware')}
        value={wish.firmware}
        onChange={(firmware) => {
          set({ firmware })
        }}
        choices={FIRMWARES.map((value) => ({ value, name: value.toUpperCase() }))}
      />
      <ExpandableSection
        toggleText={t('machines.ownXml')}
        isExpanded={open}
        onToggle={(_event, on) => {
          setOpen(on)
        }}
      >
        <FormGroup label={t('machines.ownXml')} fieldId="xml">
          <TextArea
            id="xml"
            className="berth-mono"
            rows={12}
            value={wish.domainXml}
            onChange={(_event, domainXml) => {
              set({ domainXml })
            }}
            aria-label={t('machines.ownXml')}
          />
        </FormGroup>
        <p className="berth-quiet">{t('machines.ownXmlAbout')}</p>
      </ExpandableSection>
    </FormSection>
  )
}
