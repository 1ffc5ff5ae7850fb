import type { TFunction } from 'i18next'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { type Action, Actions } from '../parts/actions.js'
import { ActDialogue } from './act-dialogue.js'
import { AssignMachine } from './assign-machine.js'
import {
  ALL_ACTS,
  isDanger,
  type MachineAct,
  needsNoQuestion,
  whyNot,
  wordOf,
} from './machine-acts.js'
import { ReleaseMachine } from './release-machine.js'

export interface MachineMenuProps {
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly label: string
  readonly text?: string
  readonly more?: readonly Action[]
  readonly begin: (act: MachineAct, names: readonly string[]) => void
}

type Handing = 'assign' | 'release'

/** What can be done to one machine, or to all of some; asks before anybody is interrupted. */
export function MachineMenu(props: MachineMenuProps): ReactElement {
  const { machines, desktops, label, text, more = [], begin } = props
  const { t } = useTranslation()
  const [asking, setAsking] = useState<MachineAct | null>(null)
  const [handing, setHanding] = useState<Handing | null>(null)
  const names = machines.map(({ name }) => name)
  const only = machines.length === 1 ? (machines[0] ?? null) : null
  const actions = actionsFor(t, only, desktops, setHanding, (act) => {
    needsNoQuestion(act) ? begin(act, names) : setAsking(act)
  })
  return (
    <>
      <Actions
        label={label}
        {...(text === undefined ? {} : { text })}
        actions={[...more, ...actions]}
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
      {only && handing && (
        <HandDialogue
          handing={handing}
          machine={only}
          desktop={desktops.get(only.name)}
          close={() => {
            setHanding(null)
          }}
        />
      )}
    </>
  )
}

/** `only`: the one machine that it is for; null: several. */
function actionsFor(
  t: TFunction,
  only: Machine | null,
  desktops: ReadonlyMap<string, Desktop>,
  hand: (handing: Handing) => void,
  choose: (act: MachineAct) => void,
): Action[] {
  const hands = only ? handingsOf(only, desktops.get(only.name)) : []
  return [
    ...hands.map((one) => handingAction(t, one, hand)),
    ...ALL_ACTS.map((act) =>
      actionOf(t, act, only, () => {
        choose(act)
      }),
    ),
  ]
}

/** A machine for people goes from one to another; what somebody has can be taken back. Pure. */
function handingsOf({ type }: Machine, desktop: Desktop | undefined): Handing[] {
  const isForPeople = type === 'vdi' || type === 'simple'
  return [...(isForPeople ? ['assign' as const] : []), ...(desktop ? ['release' as const] : [])]
}

function handingAction(t: TFunction, handing: Handing, hand: (handing: Handing) => void): Action {
  return {
    name: t(`machines.${handing}`),
    isDanger: handing === 'release',
    onClick: () => {
      hand(handing)
    },
  }
}

/** `only`: the one machine that it is for; null: several, of which each may be otherwise. */
function actionOf(
  t: TFunction,
  act: MachineAct,
  only: Machine | null,
  onClick: () => void,
): Action {
  const reason = only ? whyNot(act, only) : null
  return {
    name: t(`machines.acts.${wordOf(act)}`),
    isDanger: isDanger(act),
    isDisabled: reason !== null,
    ...(reason === null ? {} : { description: t(`machines.whyNot.${reason}`) }),
    onClick,
  }
}

function HandDialogue({
  handing,
  machine,
  desktop,
  close,
}: {
  handing: Handing
  machine: Machine
  desktop: Desktop | undefined
  close: () => void
}): ReactElement | null {
  const { t } = useTranslation()
  if (handing === 'assign')
    return (
      <AssignMachine
        machine={machine.name}
        title={t('machines.assignTitle', { name: machine.name })}
        hint={t('machines.assignHint')}
        close={close}
      />
    )
  return desktop ? <ReleaseMachine machine={machine} desktop={desktop} close={close} /> : null
}
