import type { UseMutationResult, UseQueryResult } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type {
  GenerationList,
  JobRef,
  PopulatePreview,
  PopulateTarget,
} from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, type ApiError, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { CheckBox, ChoiceField } from '../parts/fields.js'
import { useParam } from '../parts/choice-filter.js'
import { Confirm } from '../parts/confirm.js'
import { Loaded } from '../parts/loaded.js'
import { isOff, MustBeOff } from './must-be-off.js'

interface PopulateDialogueProps {
  readonly initial: Machine
  readonly begun: (job: string) => void
  readonly close: () => void
}

/**
 * *Populate machines*: asks the broker whom it would affect, shows it machine by machine and keeps
 * it true while the question stands.
 */
export function PopulateDialogue({ initial, begun, close }: PopulateDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [wanted, setWanted] = useParam('generation')
  const [force, setForce] = useState(false)
  const [start, setStart] = useState(false)
  const preview = usePreview(initial, wanted)
  const populate = usePopulate(initial, wanted)
  const later = preview.data?.machines.filter(({ inUse }) => inUse !== null).length ?? 0
  const forces = force && later > 0
  return (
    <Confirm
      title={t('images.populateTitle', { name: initial.name })}
      action={forces ? t('images.populateForced', { count: later }) : t('images.populate')}
      danger={forces}
      {...(forces ? { typed: initial.name } : {})}
      pending={populate.isPending}
      ready={preview.data !== undefined}
      error={populate.error}
      close={close}
      onConfirm={() => {
        populate.mutate(
          { force, start },
          {
            onSuccess: ({ job }) => {
              begun(job)
            },
          },
        )
      }}
    >
      <MustBeOff machine={initial} />
      <ChooseGeneration initial={initial} wanted={wanted} set={setWanted} />
      <Loaded query={preview}>{(data) => <Effects preview={data} force={force} />}</Loaded>
      {later > 0 && (
        <CheckBox
          label={t('images.force', { count: later })}
          hint={t('images.forceMeans')}
          value={force}
          onChange={setForce}
        />
      )}
      <CheckBox label={t('images.start')} value={start} onChange={setStart} />
    </Confirm>
  )
}

/** Whom it would affect. */
function usePreview(initial: Machine, wanted: string): UseQueryResult<PopulatePreview, ApiError> {
  const query = wanted === '' ? '' : `?generation=${encodeURIComponent(wanted)}`
  return useGet<PopulatePreview>(`${path`/machines/${initial.name}/populate`}${query}`, [
    'machines',
    'desktops',
    'generations',
    'sessions',
  ])
}

interface PopulateChoice {
  readonly force: boolean
  readonly start: boolean
}

function usePopulate(
  { name }: Machine,
  wanted: string,
): UseMutationResult<JobRef, ApiError, PopulateChoice> {
  return useAct(
    async (choice: PopulateChoice) =>
      await api<JobRef>('POST', path`/machines/${name}/populate`, {
        body: { ...(wanted === '' ? {} : { generation: wanted }), ...choice },
      }),
  )
}

function ChooseGeneration({
  initial,
  wanted,
  set,
}: {
  initial: Machine
  wanted: string
  set: (name: string) => void
}): ReactElement {
  const { t, i18n } = useTranslation()
  const { data } = useGet<GenerationList>(path`/machines/${initial.name}/generations`, [
    'generations',
    'machines',
  ])
  const ready = (data?.generations ?? []).filter(({ state }) => state === 'ready')
  const options = ready.map(({ name, current, createdAt }) => ({
    value: current ? '' : name,
    name:
      `${name}${current ? ` (${t('images.current').toLocaleLowerCase()})` : ''} ` +
      `· ${new Date(createdAt).toLocaleString(i18n.language, { dateStyle: 'medium', timeStyle: 'short' })}`,
  }))
  return (
    <ChoiceField
      label={t('images.generation')}
      value={wanted}
      onChange={set}
      choices={options}
      hint={wanted === '' ? '' : t('images.rollBackAbout', { generation: wanted })}
    />
  )
}

function Effects({ preview, force }: { preview: PopulatePreview; force: boolean }): ReactElement {
  const { t } = useTranslation()
  const free = preview.machines.filter(({ inUse }) => inUse === null)
  const again = free.filter(({ generation }) => generation === preview.generation).length
  const used = preview.machines.filter(({ inUse }) => inUse !== null)
  return (
    <>
      <p>
        <strong>
          {(free.length > again || again === 0) &&
            t('images.now', { count: free.length - again, generation: preview.generation })}{' '}
          {again > 0 && t('images.again', { count: again, generation: preview.generation })}
        </strong>{' '}
        {free.length > 0 && t('images.nowMeans')}
      </p>
      <MachineList
        machines={free}
        target={preview.generation}
        text={(machine) => (isOff(machine) ? '' : t('images.isCut'))}
      />
      {used.length > 0 && (
        <p>
          <strong>
            {force
              ? t('images.cutOff', { count: used.length })
              : t('images.later', { count: used.length })}
          </strong>
        </p>
      )}
      <MachineList machines={used} target={preview.generation} text={({ inUse }) => inUse ?? ''} />
      {preview.carryTo.length > 0 && (
        <p>{t('images.carried', { hypervisors: preview.carryTo.join(', ') })}</p>
      )}
    </>
  )
}

function MachineList({
  machines,
  target,
  text,
}: {
  machines: readonly PopulateTarget[]
  target: string
  text: (machine: PopulateTarget) => string
}): ReactElement | null {
  const { t } = useTranslation()
  if (machines.length === 0) return null
  return (
    <ul className="berth-machine-list" tabIndex={0}>
      {machines.map((machine) => (
        <li key={machine.machine}>
          {machine.machine}{' '}
          <span className="berth-quiet">
            {[
              machine.generation === target
                ? `${target}, ${t('images.onIt')}`
                : (machine.generation ?? '–'),
              text(machine),
            ]
              .filter((part) => part !== '')
              .join(', ')}
          </span>
        </li>
      ))}
    </ul>
  )
}
