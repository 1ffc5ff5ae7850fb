import { Checkbox, FormGroup, TextInput } from '@patternfly/react-core'
import type { TFunction } from 'i18next'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { Confirm } from '../parts/confirm.js'
import { isDanger, type MachineAct, wordOf } from './machine-acts.js'

export interface ActDialogueProps {
  readonly act: MachineAct
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly begin: (act: MachineAct) => void
  readonly close: () => void
}

/** Asks before something is done to machines: which ones, who has them, who is connected now. */
export function ActDialogue({
  act,
  machines,
  desktops,
  begin,
  close,
}: ActDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [whole, setWhole] = useState<MachineAct>(act)
  const word = wordOf(act)
  const name = machines.length === 1 ? (machines[0]?.name ?? '') : null
  const typed = act.kind === 'delete' ? { typed: name ?? String(machines.length) } : {}
  return (
    <Confirm
      title={
        name === null
          ? t('machines.askMany', { act: t(`machines.acts.${word}`), count: machines.length })
          : t('machines.askOne', { act: t(`machines.acts.${word}`), name })
      }
      action={t(`machines.acts.${word}`)}
      danger={isDanger(act)}
      {...typed}
      pending={false}
      error={null}
      close={close}
      onConfirm={() => {
        begin(whole)
      }}
    >
      <p>{t(`machines.meanings.${word}`)}</p>
      <Affected machines={machines} desktops={desktops} />
      <ActOptions act={whole} change={setWhole} />
    </Confirm>
  )
}

interface ActOptionsProps {
  readonly act: MachineAct
  readonly change: (act: MachineAct) => void
}

/** What an act leaves to be chosen. */
function ActOptions({ act, change }: ActOptionsProps): ReactElement | null {
  const { t } = useTranslation()
  if (act.kind === 'maintenance' && act.on)
    return (
      <FormGroup label={t('machines.reason')} fieldId="act-reason">
        <TextInput
          id="act-reason"
          value={act.reason}
          maxLength={200}
          onChange={(_event, reason) => {
            change({ ...act, reason })
          }}
        />
      </FormGroup>
    )
  if (act.kind === 'discard' && act.on)
    return (
      <Checkbox
        id="act-on"
        label={t('machines.discardOnReboot')}
        isChecked={act.onReboot}
        onChange={(_event, onReboot) => {
          change({ ...act, onReboot })
        }}
      />
    )
  if (act.kind === 'delete')
    return (
      <Checkbox
        id="act-on"
        label={t('machines.force')}
        description={t('machines.forceMeans')}
        isChecked={act.force}
        onChange={(_event, force) => {
          change({ ...act, force })
        }}
      />
    )
  return null
}

const MOST_NAMED = 12

/** The machines by name, and those who would notice. */
export function Affected({
  machines,
  desktops,
}: {
  machines: readonly Machine[]
  desktops: ReadonlyMap<string, Desktop>
}): ReactElement {
  const { t } = useTranslation()
  const inUse = machines.filter(({ name, viewers }) => viewers.length > 0 || desktops.has(name))
  const names = machines
    .slice(0, MOST_NAMED)
    .map(({ name }) => name)
    .join(', ')
  return (
    <>
      {machines.length > 1 && (
        <p className="berth-mono">
          {names}
          {machines.length > MOST_NAMED &&
            ` ${t('machines.andMore', { count: machines.length - MOST_NAMED })}`}
        </p>
      )}
      {inUse.length === 0 ? (
        <p>{t('machines.nobodyAffected')}</p>
      ) : (
        <>
          <p>
            <strong>{t('machines.affected', { count: inUse.length })}</strong>
          </p>
          <ul className="berth-affected">
            {inUse.map((machine) => (
              <li key={machine.name}>{whoUses(t, machine, desktops.get(machine.name))}</li>
            ))}
          </ul>
        </>
      )}
    </>
  )
}

/** `pc-1: alice has it, connected now from 10.1.2.3`. */
function whoUses(t: TFunction, { name, viewers }: Machine, desktop: Desktop | undefined): string {
  const parts = [
    ...(desktop ? [t('machines.hasIt', { holder: desktop.holder })] : []),
    ...(viewers.length > 0 ? [t('machines.connectedFrom', { addresses: viewers.join(', ') })] : []),
  ]
  return `${name}: ${parts.join(', ')}`
}
