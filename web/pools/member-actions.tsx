import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Pool, PoolMember } from '../../broker/api/pools.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

export type MemberDeed = 'assign' | 'release' | 'extend' | 'rebuild' | 'maintenanceOn' | 'maintenanceOff' | 'remove'

/** What can be done with a member as it is now. */
export function memberDeeds (member: PoolMember): MemberDeed[] {
  const deeds: MemberDeed[] = member.holder === null ? ['assign'] : ['extend', 'release']
  return [...deeds, 'rebuild', member.maintenance ? 'maintenanceOff' : 'maintenanceOn', 'remove']
}

export function MemberDialogue ({ pool, member, deed, close }: { pool: Pool, member: PoolMember, deed: MemberDeed, close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [text, setText] = useState('')
  const act = useAct(async () => { await carryOut(pool, member, deed, text) })
  const run = (): void => { act.mutate(undefined, { onSuccess: close }) }
  const title = `${t(`pools.deeds.${deed}`)}: ${member.machine}`
  if (deed === 'assign' || deed === 'maintenanceOn') {
    return (
      <FormDialogue title={title} action={t(`pools.deeds.${deed}`)} pending={act.isPending} error={act.error} isDisabled={deed === 'assign' && text === ''} close={close} onSubmit={run}>
        <TextField label={deed === 'assign' ? t('pools.person') : t('pools.maintenanceReason')} value={text} onChange={setText} isRequired={deed === 'assign'} />
      </FormDialogue>
    )
  }
  return (
    <Confirm title={title} action={t(`pools.deeds.${deed}`)} danger={deed === 'rebuild' || deed === 'release' || deed === 'remove'} pending={act.isPending} error={act.error} onConfirm={run} close={close}>
      <p>{t(`pools.deedWhat.${deed}`, { machine: member.machine, pool: pool.name })}</p>
      {member.holder !== null && <p><strong>{member.connected ? t('pools.holderConnected', { holder: member.holder }) : t('pools.holderHas', { holder: member.holder })}</strong></p>}
    </Confirm>
  )
}

async function carryOut (pool: Pool, { machine }: PoolMember, deed: MemberDeed, text: string): Promise<void> {
  switch (deed) {
    case 'assign': await api('POST', path`/machines/${machine}/assign`, { body: { user: text } }); break
    case 'release': await api('POST', path`/machines/${machine}/release`, { body: { force: true } }); break
    case 'extend': await api('POST', path`/machines/${machine}/extend`); break
    case 'rebuild': await api('POST', path`/machines/${machine}/rebuild`); break
    case 'maintenanceOn': await api('PUT', path`/machines/${machine}/maintenance`, { body: { on: true, reason: text } }); break
    case 'maintenanceOff': await api('PUT', path`/machines/${machine}/maintenance`, { body: { on: false } }); break
    case 'remove': await api('DELETE', path`/pools/${pool.name}/members/${machine}`); break
  }
}
