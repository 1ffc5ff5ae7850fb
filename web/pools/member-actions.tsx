import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Pool, PoolMember } from '../../broker/api/pools.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { AssignMachine } from '../machines/assign-machine.js'
import { Confirm } from '../parts/confirm.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

export type MemberDeed =
  'assign' | 'release' | 'extend' | 'rebuild' | 'maintenanceOn' | 'maintenanceOff' | 'remove'

/** What can be done with a member as it is now. */
export function memberDeeds(member: PoolMember): MemberDeed[] {
  const deeds: MemberDeed[] = member.holder === null ? ['assign'] : ['extend', 'release']
  return [...deeds, 'rebuild', member.maintenance ? 'maintenanceOff' : 'maintenanceOn', 'remove']
}

interface MemberDialogueProps {
  readonly pool: Pool
  readonly member: PoolMember
  readonly deed: MemberDeed
  readonly close: () => void
}

export function MemberDialogue(props: MemberDialogueProps): ReactElement {
  const { t } = useTranslation()
  return props.deed === 'assign' ? (
    <AssignMachine
      machine={props.member.machine}
      title={`${t('pools.deeds.assign')}: ${props.member.machine}`}
      close={props.close}
    />
  ) : (
    <OtherDeed {...props} deed={props.deed} />
  )
}

function OtherDeed({
  pool,
  member,
  deed,
  close,
}: MemberDialogueProps & { deed: Exclude<MemberDeed, 'assign'> }): ReactElement {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const act = useAct(async () => {
    await carryOut(pool, member, deed, text)
  })
  const run = (): void => {
    act.mutate(undefined, { onSuccess: close })
  }
  const common = {
    title: `${t(`pools.deeds.${deed}`)}: ${member.machine}`,
    action: t(`pools.deeds.${deed}`),
    pending: act.isPending,
    error: act.error,
    close,
  }
  if (deed === 'maintenanceOn') {
    return (
      <FormDialogue {...common} onSubmit={run}>
        <TextField label={t('pools.maintenanceReason')} value={text} onChange={setText} />
      </FormDialogue>
    )
  }
  return (
    <Confirm
      {...common}
      danger={deed === 'rebuild' || deed === 'release' || deed === 'remove'}
      onConfirm={run}
    >
      <p>{t(`pools.deedWhat.${deed}`, { machine: member.machine, pool: pool.name })}</p>
      <HolderNamed member={member} />
    </Confirm>
  )
}

/** Who has it, and would be interrupted. */
function HolderNamed({
  member: { holder, connected },
}: Pick<MemberDialogueProps, 'member'>): ReactElement | null {
  const { t } = useTranslation()
  if (holder === null) return null
  return (
    <p>
      <strong>
        {connected ? t('pools.holderConnected', { holder }) : t('pools.holderHas', { holder })}
      </strong>
    </p>
  )
}

async function carryOut(
  pool: Pool,
  { machine }: PoolMember,
  deed: Exclude<MemberDeed, 'assign'>,
  text: string,
): Promise<void> {
  switch (deed) {
    case 'release':
      await api('POST', path`/machines/${machine}/release`, { body: { force: true } })
      break
    case 'extend':
      await api('POST', path`/machines/${machine}/extend`)
      break
    case 'rebuild':
      await api('POST', path`/machines/${machine}/rebuild`)
      break
    case 'maintenanceOn':
      await api('PUT', path`/machines/${machine}/maintenance`, { body: { on: true, reason: text } })
      break
    case 'maintenanceOff':
      await api('PUT', path`/machines/${machine}/maintenance`, { body: { on: false } })
      break
    case 'remove':
      await api('DELETE', path`/pools/${pool.name}/members/${machine}`)
      break
  }
}
