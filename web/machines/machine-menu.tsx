import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { type Action, Actions } from '../parts/actions.js'
import { ActDialogue } from './act-dialogue.js'
import { AssignMachine } from './assign-machine.js'
import { ALL_ACTS, isDanger, type MachineAct, needsNoQuestion, wordOf } from './machine-acts.js'
import { ReleaseMachine } from './release-machine.js'

const ON = ['running', 'paused', 'suspended', 'shutting-down']

/**
 * Why an act makes no sense for this machine now: a key of the catalogue, or null. The broker
 * decides; this only saves a click.
 */
function whyNot(
  act: MachineAct,
  machine: Machine,
):
  | 'isOn'
  | 'isOff'
  | 'inMaintenance'
  | 'notInMaintenance'
  | 'onlyVdi'
  | 'discardsAlready'
  | 'discardsNothing'
  | null {
  if (act.kind === 'power') return whyNoPower(act.action === 'start', machine.power)
  if (act.kind === 'maintenance')
    return act.on === machine.maintenance ? (act.on ? 'inMaintenance' : 'notInMaintenance') : null
  if (act.kind !== 'discard') return null
  if (machine.type !== 'vdi') return 'onlyVdi'
  return act.on === machine.discardChanges ? (act.on ? 'discardsAlready' : 'discardsNothing') : null
}

function whyNoPower(isStart: boolean, power: Machine['power']): 'isOn' | 'isOff' | null {
  if (isStart) return power === 'running' ? 'isOn' : null
  return ON.includes(power) || power === 'unknown' ? null : 'isOff'
}

export interface MachineMenuProps {
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly label: string
  readonly text?: string
  readonly more?: readonly Action[]
  readonly begin: (act: MachineAct, names: readonly string[]) => void
}

/** What can be done to one machine, or to all of some; asks before anybody is interrupted. */
export function MachineMenu({
  machines,
  desktops,
  label,
  text,
  more = [],
  begin,
}: MachineMenuProps): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState<MachineAct | null>(null)
  const [handing, setHanding] = useState<'assign' | 'release' | null>(null)
  const names = machines.map(({ name }) => name)
  const [only] = machines.length === 1 ? machines : []
  const held = only && desktops.get(only.name)
  const forPeople = only?.type === 'vdi' || only?.type === 'simple'
  const hands: readonly Action[] = [
    ...(forPeople
      ? [
          {
            name: t('machines.assign'),
            onClick: () => {
              setHanding('assign')
            },
          },
        ]
      : []),
    ...(held
      ? [
          {
            name: t('machines.release'),
            isDanger: true,
            onClick: () => {
              setHanding('release')
            },
          },
        ]
      : []),
  ]
  const actions = ALL_ACTS.map((act): Action => {
    const reason = only ? whyNot(act, only) : null
    return {
      name: t(`machines.acts.${wordOf(act)}`),
      isDanger: isDanger(act),
      isDisabled: reason !== null,
      ...(reason === null ? {} : { description: t(`machines.whyNot.${reason}`) }),
      onClick: () => {
        needsNoQuestion(act) ? begin(act, names) : setAsking(act)
      },
    }
  })
  return (
    <>
      <Actions
        label={label}
        {...(text === undefined ? {} : { text })}
        actions={[...more, ...hands, ...actions]}
        isDisabled={machines.length === 0}
      />
      {asking && (
        <ActDialogue
          act={asking}
          machines={machines}
          desktops={desktops}
          close={() => {
            setAsking(null)
          }}
          begin={(act) => {
            setAsking(null)
            begin(act, names)
          }}
        />
      )}
      {only && handing === 'assign' && (
        <AssignMachine
          machine={only.name}
          title={t('machines.assignTitle', { name: only.name })}
          hint={t('machines.assignHint')}
          close={() => {
            setHanding(null)
          }}
        />
      )}
      {only && held && handing === 'release' && (
        <ReleaseMachine
          machine={only}
          desktop={held}
          close={() => {
            setHanding(null)
          }}
        />
      )}
    </>
  )
}
