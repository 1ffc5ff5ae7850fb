import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { User } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { Confirm } from '../parts/confirm.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { RolesField } from './roles-field.js'

type Deed = 'roles' | 'password' | 'unlock' | 'logOut' | 'disable' | 'enable' | 'delete'

/** What an administrator does with an account. */
export function PersonActions({ user, self }: { user: User; self: string }): ReactElement {
  const { t } = useTranslation()
  const [deed, setDeed] = useState<Deed | null>(null)
  const close = (): void => {
    setDeed(null)
  }
  const deeds: Deed[] = [
    'roles',
    ...(user.hasPassword ? ['password' as const] : []),
    ...(user.blockedUntil === null ? [] : ['unlock' as const]),
    'logOut',
    user.disabled ? 'enable' : 'disable',
    'delete',
  ]
  return (
    <>
      <Actions
        label={t('people.actionsFor', { name: user.name })}
        text={t('pools.more')}
        actions={deeds.map((one) => ({
          name: t(`people.deeds.${one}`),
          isDanger: one === 'delete' || one === 'disable',
          onClick: () => {
            setDeed(one)
          },
        }))}
      />
      {deed === 'roles' && <Roles user={user} close={close} />}
      {deed === 'password' && <Password user={user} close={close} />}
      {deed !== null && deed !== 'roles' && deed !== 'password' && (
        <Sure user={user} self={self} deed={deed} close={close} />
      )}
    </>
  )
}

function Roles({ user, close }: { user: User; close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [roles, setRoles] = useState<readonly string[]>(
    user.roles.filter(({ source }) => source === 'local').map(({ role }) => role),
  )
  const others = user.roles.filter(({ source }) => source !== 'local')
  const act = useAct(async () => {
    await api('PATCH', path`/users/${user.name}`, { body: { roles } })
  })
  return (
    <FormDialogue
      title={t('people.deeds.roles')}
      action={t('people.deeds.roles')}
      pending={act.isPending}
      error={act.error}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      <RolesField value={roles} onChange={setRoles} />
      {others.length > 0 && (
        <p>
          {t('people.rolesElsewhere', {
            roles: others.map(({ role, source }) => `${role} (${source})`).join(', '),
          })}
        </p>
      )}
    </FormDialogue>
  )
}

function Password({ user, close }: { user: User; close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [newPassword, setPassword] = useState('')
  const act = useAct(async () => {
    await api('POST', path`/users/${user.name}/password`, { body: { newPassword } })
  })
  return (
    <FormDialogue
      title={t('people.deeds.password')}
      action={t('people.deeds.password')}
      pending={act.isPending}
      error={act.error}
      isDisabled={newPassword === ''}
      close={close}
      onSubmit={() => {
        act.mutate(undefined, { onSuccess: close })
      }}
    >
      <TextField
        label={t('people.password')}
        type="password"
        isRequired
        value={newPassword}
        onChange={setPassword}
        hint={t('people.passwordResetHint')}
      />
    </FormDialogue>
  )
}

function Sure({
  user,
  self,
  deed,
  close,
}: {
  user: User
  self: string
  deed: 'unlock' | 'logOut' | 'disable' | 'enable' | 'delete'
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const go = useNavigate()
  const act = useAct(async () => {
    await carryOut(user.name, deed)
  })
  const after = (): void => {
    deed === 'delete' ? void go('/people') : close()
  }
  return (
    <Confirm
      title={`${t(`people.deeds.${deed}`)}: ${user.name}`}
      action={t(`people.deeds.${deed}`)}
      danger={deed === 'delete' || deed === 'disable'}
      {...(deed === 'delete' ? { typed: user.name } : {})}
      pending={act.isPending}
      error={act.error}
      close={close}
      onConfirm={() => {
        act.mutate(undefined, { onSuccess: after })
      }}
    >
      <p>{t(`people.deedWhat.${deed}`)}</p>
      {user.name === self && (
        <p>
          <strong>{t('people.thatIsYou')}</strong>
        </p>
      )}
    </Confirm>
  )
}

async function carryOut(
  name: string,
  deed: 'unlock' | 'logOut' | 'disable' | 'enable' | 'delete',
): Promise<void> {
  switch (deed) {
    case 'unlock':
      await api('POST', path`/users/${name}/unlock`, { body: {} })
      break
    case 'logOut':
      await api('POST', path`/users/${name}/log-out`, { body: {} })
      break
    case 'disable':
      await api('PATCH', path`/users/${name}`, { body: { disabled: true } })
      break
    case 'enable':
      await api('PATCH', path`/users/${name}`, { body: { disabled: false } })
      break
    case 'delete':
      await api('DELETE', path`/users/${name}`)
      break
  }
}
