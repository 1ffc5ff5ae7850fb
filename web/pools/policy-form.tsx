import { Button, FormFieldGroup, FormFieldGroupHeader } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Pool } from '../../broker/api/pools.js'
import {
  CLEANINGS,
  type PoolPolicy,
  PROTOCOLS,
  SHUTDOWN_ANSWERS,
} from '../../broker/api/pool-policy.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { CheckField, ChoiceField, ManyField, TextField } from '../parts/fields.js'
import { durationIso, durationWords } from '../parts/durations.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { changed, type Draft, draftOf, DURATIONS } from './policy-draft.js'
import { ScheduleFields } from './schedule-fields.js'

const NUMBERS = ['min', 'max', 'spares', 'maxPerUser'] as const
const SWITCHES = ['clipboard', 'fileTransfer', 'usb', 'loginOnAssignment'] as const

interface PolicyFormProps {
  readonly pool: Pool
  readonly close: () => void
}

/**
 * The whole policy of a pool. Only what was changed is sent, so two who change different things do
 * not undo each other.
 */
export function PolicyForm({ pool, close }: PolicyFormProps): ReactElement {
  const { t, i18n } = useTranslation()
  const [before] = useState(() => draftOf(pool.policy, i18n.language))
  const [draft, setDraft] = useState<Draft>(before)
  const change = useAct(async (policy: Partial<PoolPolicy>) => {
    await api('PATCH', path`/pools/${pool.name}`, { body: { policy } })
  })
  const set = (part: Partial<Draft>): void => {
    setDraft({ ...draft, ...part })
  }
  const patch = changed(before, draft)
  return (
    <FormDialogue
      wide
      title={t('policy.title', { pool: pool.name })}
      action={t('policy.save')}
      pending={change.isPending}
      error={change.error}
      isDisabled={Object.keys(patch).length === 0}
      close={close}
      onSubmit={() => {
        change.mutate(patch, { onSuccess: close })
      }}
    >
      <Sizes draft={draft} set={set} />
      <Times draft={draft} set={set} />
      <Cleanings draft={draft} set={set} />
      <Screens draft={draft} set={set} />
      <Schedule draft={draft} set={set} />
    </FormDialogue>
  )
}

interface PartProps {
  readonly draft: Draft
  readonly set: (part: Partial<Draft>) => void
}

function Sizes({ draft, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Group title={t('policy.sizes')}>
      {NUMBERS.map((name) => (
        <TextField
          key={name}
          type="number"
          label={t(`policy.${name}`)}
          hint={t(`policy.hints.${name}`)}
          value={draft[name]}
          onChange={(value) => {
            set({ [name]: value })
          }}
        />
      ))}
    </Group>
  )
}

function Times({ draft, set }: PartProps): ReactElement {
  const { t, i18n } = useTranslation()
  const meaning = (typed: string): string => {
    const words = durationWords(i18n.language, durationIso(typed))
    return words === typed.trim() ? '' : t('policy.means', { duration: words })
  }
  return (
    <Group title={t('policy.times')}>
      {DURATIONS.map((name) => (
        <TextField
          key={name}
          label={t(`policy.${name}`)}
          hint={`${t(`policy.hints.${name}`)} ${meaning(draft[name])}`}
          value={draft[name]}
          onChange={(value) => {
            set({ [name]: value })
          }}
        />
      ))}
    </Group>
  )
}

function Cleanings({ draft, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  const cleanings = CLEANINGS.map((value) => ({ value, name: t(`policy.cleanings.${value}`) }))
  return (
    <Group title={t('policy.after')}>
      <ChoiceField
        label={t('policy.onRelease')}
        value={draft.onRelease}
        choices={cleanings}
        onChange={(onRelease) => {
          set({ onRelease })
        }}
      />
      <ChoiceField
        label={t('policy.onExpiry')}
        value={draft.onExpiry}
        choices={cleanings}
        onChange={(onExpiry) => {
          set({ onExpiry })
        }}
      />
      <ChoiceField
        label={t('policy.onShutdown')}
        value={draft.onShutdown}
        choices={SHUTDOWN_ANSWERS.map((value) => ({
          value,
          name: t(`policy.shutdowns.${value}`),
        }))}
        onChange={(onShutdown) => {
          set({ onShutdown })
        }}
      />
    </Group>
  )
}

function Screens({ draft, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Group title={t('policy.screen')}>
      <ManyField
        label={t('policy.protocols')}
        hint={t('policy.hints.protocols', { order: draft.protocols.join(', ') })}
        value={draft.protocols}
        choices={PROTOCOLS.map((value) => ({ value, name: value.toUpperCase() }))}
        onChange={(protocols) => {
          set({ protocols })
        }}
      />
      {SWITCHES.map((name) => (
        <CheckField
          key={name}
          label={t(`policy.${name}`)}
          value={draft[name]}
          onChange={(value) => {
            set({ [name]: value })
          }}
        />
      ))}
    </Group>
  )
}

function Schedule({ draft, set }: PartProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Group title={t('policy.schedule')}>
      <TextField
        label={t('policy.timeZone')}
        value={draft.timeZone}
        onChange={(timeZone) => {
          set({ timeZone })
        }}
        list={Intl.supportedValuesOf('timeZone')}
      />
      <ScheduleFields
        schedule={draft.schedule}
        onChange={(schedule) => {
          set({ schedule })
        }}
      />
    </Group>
  )
}

function Group({ title, children }: { title: string; children: React.ReactNode }): ReactElement {
  return (
    <FormFieldGroup
      header={<FormFieldGroupHeader titleText={{ text: title, id: `group-${title}` }} />}
    >
      {children}
    </FormFieldGroup>
  )
}

/** Opens it. */
export function PolicyButton({ pool }: { pool: Pool }): ReactElement {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button
        variant="secondary"
        onClick={() => {
          setOpen(true)
        }}
      >
        {t('policy.change')}
      </Button>
      {open && (
        <PolicyForm
          pool={pool}
          close={() => {
            setOpen(false)
          }}
        />
      )}
    </>
  )
}
