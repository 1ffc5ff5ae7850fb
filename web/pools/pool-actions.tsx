import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { AssignAnswer } from '../../broker/api/assignments.js'
import type { Pool, PoolMember } from '../../broker/api/pools.js'
import type { MachineList } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { Afterwards } from '../parts/afterwards.js'
import { Confirm } from '../parts/confirm.js'
import { CheckField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { PersonField } from '../parts/person-field.js'

type Deed = 'assign' | 'size' | 'addMember' | 'maintenance' | 'delete'

/** What an administrator does with a whole pool. */
export function PoolActions({
  pool,
  members,
}: {
  pool: Pool
  members: readonly PoolMember[]
}): ReactElement {
  const { t } = useTranslation()
  const [deed, setDeed] = useState<Deed | null>(null)
  const close = (): void => {
    setDeed(null)
  }
  const names: ReadonlyArray<readonly [Deed, string]> = [
    ['assign', t('pools.assign')],
    ['size', t('pools.resize')],
    ['addMember', t('pools.addMember')],
    ['maintenance', pool.maintenance ? t('pools.endMaintenance') : t('pools.startMaintenance')],
    ['delete', t('pools.delete')],
  ]
  return (
    <>
      <Actions
        label={t('pools.actionsFor', { machine: pool.name })}
        text={t('pools.more')}
        actions={names.map(([one, name]) => ({
          name,
          isDanger: one === 'delete',
          onClick: () => {
            setDeed(one)
          },
        }))}
      />
      {deed === 'assign' && <Assign pool={pool} close={close} />}
      {deed === 'size' && <Resize pool={pool} close={close} />}
      {deed === 'addMember' && <AddMember pool={pool} close={close} />}
      {deed === 'maintenance' && <Maintenance pool={pool} members={members} close={close} />}
      {deed === 'delete' && <Delete pool={pool} members={members} close={close} />}
    </>
  )
}

interface DeedProps {
  readonly pool: Pool
  readonly close: () => void
}

function Assign({ pool, close }: DeedProps): ReactElement {
  const { t } = useTranslation()
  const [user, setUser] = useState('')
  const [fixed, setFixed] = useState(false)
  const act = useAct(
    async () =>
      await api<AssignAnswer>('POST', path`/pools/${pool.name}/assign`, {
        body: { user, ...(fixed ? { fixed } : {}) },
      }),
  )
  if (act.data && act.data.warnings.length > 0)
    return (
      <Afterwards
        title={t('pools.assigned', { machine: act.data.machine, holder: act.data.holder })}
        warnings={act.data.warnings}
        close={close}
      />
    )
  return (
    <FormDialogue
      title={t('pools.assign')}
      action={t('pools.assign')}
      pending={act.isPending}
      error={act.error}
      isDisabled={user === ''}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, {
          onSuccess: ({ warnings }) => {
            if (warnings.length === 0) close()
          },
        })
      }}
    >
      <PersonField label={t('pools.person')} value={user} onChange={setUser} />
      <CheckField label={t('pools.fixed')} value={fixed} onChange={setFixed} />
    </FormDialogue>
  )
}

function Resize({ pool, close }: DeedProps): ReactElement {
  const { t } = useTranslation()
  const [size, setSize] = useState(String(pool.size))
  const [force, setForce] = useState(false)
  const act = useAct(async () => {
    await api('PATCH', path`/pools/${pool.name}`, {
      body: { size: Number(size), ...(force ? { force } : {}) },
    })
  })
  const fewer = pool.size - Number(size)
  return (
    <FormDialogue
      title={t('pools.resize')}
      action={t('pools.resize')}
      pending={act.isPending}
      error={act.error}
      isDisabled={size === ''}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      <TextField
        label={t('pools.size')}
        type="number"
        value={size}
        onChange={setSize}
        hint={fewer > 0 ? t('pools.fewer', { count: fewer }) : t('pools.sizeHint')}
      />
      {fewer > 0 && <CheckField label={t('pools.forceShrink')} value={force} onChange={setForce} />}
    </FormDialogue>
  )
}

function AddMember({ pool, close }: DeedProps): ReactElement {
  const { t } = useTranslation()
  const [machine, setMachine] = useState('')
  const machines = useGet<MachineList>('/machines', ['machines'])
  const act = useAct(async () => {
    await api('POST', path`/pools/${pool.name}/members`, { body: { machine } })
  })
  return (
    <FormDialogue
      title={t('pools.addMember')}
      action={t('pools.addMember')}
      pending={act.isPending}
      error={act.error}
      isDisabled={machine === ''}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      <TextField
        label={t('pools.machine')}
        isRequired
        value={machine}
        onChange={setMachine}
        list={(machines.data?.machines ?? []).map(({ name }) => name)}
      />
    </FormDialogue>
  )
}

function Maintenance({
  pool,
  members,
  close,
}: DeedProps & { members: readonly PoolMember[] }): ReactElement {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const act = useAct(async () => {
    await api('PUT', path`/pools/${pool.name}/maintenance`, {
      body: pool.maintenance ? { on: false } : { on: true, reason },
    })
  })
  const run = (): void => {
    act.mutate(undefined, { onSuccess: close })
  }
  const word = t(pool.maintenance ? 'pools.endMaintenance' : 'pools.startMaintenance')
  const common = { title: word, action: word, pending: act.isPending, error: act.error, close }
  if (pool.maintenance)
    return (
      <Confirm {...common} onConfirm={run}>
        {t('pools.endMaintenanceWhat')}
      </Confirm>
    )
  return (
    <FormDialogue {...common} onSubmit={run}>
      <p>
        {t('pools.startMaintenanceWhat', {
          count: members.filter(({ holder }) => holder !== null).length,
        })}
      </p>
      <TextField label={t('pools.maintenanceReason')} value={reason} onChange={setReason} />
    </FormDialogue>
  )
}

function Delete({
  pool,
  members,
  close,
}: DeedProps & { members: readonly PoolMember[] }): ReactElement {
  const { t } = useTranslation()
  const go = useNavigate()
  const held = members.filter(({ holder }) => holder !== null)
  const act = useAct(async () => {
    await api('DELETE', `${path`/pools/${pool.name}`}${held.length > 0 ? '?force=true' : ''}`)
  })
  return (
    <Confirm
      title={t('pools.delete')}
      action={t('pools.delete')}
      danger
      typed={pool.name}
      pending={act.isPending}
      error={act.error}
      close={close}
      onConfirm={() => {
        act.mutate(undefined, {
          onSuccess: () => {
            void go('/pools')
          },
        })
      }}
    >
      <p>{t('pools.deleteWhat', { count: members.filter(({ built }) => built).length })}</p>
      {held.length > 0 && (
        <p>
          <strong>
            {t('pools.deleteHeld', {
              holders: held.map(({ holder, machine }) => `${holder ?? ''} (${machine})`).join(', '),
            })}
          </strong>
        </p>
      )}
    </Confirm>
  )
}
