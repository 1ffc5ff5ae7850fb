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
import { CheckField, ChoiceField } from './fields.js'
import { HardwareFields } from './hardware-fields.js'
import { KindFields, type WishProps } from './kind-fields.js'
import { FIRST_WISH, type Wish, wishOf } from './machine-wish.js'
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
  const [type] = useParam('type')
  const [parent] = useParam('parent')
  const [wish, setWish] = useState<Wish>({
    ...FIRST_WISH,
    ...(MACHINE_TYPES.includes(type as MachineType) ? { type: type as MachineType } : {}),
    parent,
    hypervisors: hypervisors.length === 1 ? hypervisors.map(({ name }) => name) : [],
  })
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
  const ready =
    wish.name !== '' &&
    wish.hypervisors.length > 0 &&
    (wish.type === 'simple' || wish.type === 'source' || wish.parent !== '')
  return (
    <Form className="berth-form" onSubmit={submit}>
      <KindFields wish={wish} set={set} machines={machines} />
      <Places wish={wish} set={set} hypervisors={hypervisors} />
      <Hardware wish={wish} set={set} />
      <ErrorAlert error={create.error} />
      <ActionGroup>
        <Button type="submit" isLoading={create.isPending} isDisabled={create.isPending || !ready}>
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

function Places({
  wish,
  set,
  hypervisors,
}: WishProps & { hypervisors: readonly Hypervisor[] }): ReactElement {
  const { t } = useTranslation()
  const toggle = (name: string, on: boolean): void => {
    set({
      hypervisors: hypervisors
        .map((one) => one.name)
        .filter((one) => (one === name ? on : wish.hypervisors.includes(one))),
    })
  }
  return (
    <FormSection title={t('machines.where')} titleElement="h2">
      <FormGroup role="group" label={t('navigation.hypervisors')} isRequired>
        {hypervisors.length === 0 && <p>{t('machines.noHypervisors')}</p>}
        {hypervisors.map(({ name, state }) => (
          <CheckField
            key={name}
            id={`hypervisor-${name}`}
            label={name}
            about={state === 'up' ? '' : t(`hypervisors.states.${state}`)}
            value={wish.hypervisors.includes(name)}
            set={(on) => {
              toggle(name, on)
            }}
          />
        ))}
      </FormGroup>
    </FormSection>
  )
}

function Hardware({ wish, set }: WishProps): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <FormSection title={t('machines.hardware')} titleElement="h2">
      <HardwareFields prefix="" wish={wish} set={set} />
      <ChoiceField
        id="firmware"
        label={t('machines.firmware')}
        value={wish.firmware}
        set={(value) => {
          set({ firmware: value as Wish['firmware'] })
        }}
        options={FIRMWARES.map((value) => ({ value, name: value.toUpperCase() }))}
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
