import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { api } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { RolesField } from './roles-field.js'

interface Wish {
  readonly name: string
  readonly displayName: string
  readonly password: string
  readonly roles: readonly string[]
}
const NOTHING: Wish = { name: '', displayName: '', password: '', roles: [] }

/** An account of Berth itself; people of a directory come with their first login. */
export function CreatePerson({ close }: { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const go = useNavigate()
  const [wish, setWish] = useState(NOTHING)
  const create = useAct(async ({ name, displayName, password, roles }: Wish) => {
    await api('POST', '/users', {
      body: {
        name,
        password,
        ...(displayName === '' ? {} : { displayName }),
        ...(roles.length === 0 ? {} : { roles }),
      },
    })
  })
  const set = (part: Partial<Wish>): void => {
    setWish({ ...wish, ...part })
  }
  return (
    <FormDialogue
      title={t('people.create')}
      action={t('people.create')}
      pending={create.isPending}
      error={create.error}
      isDisabled={wish.name === '' || wish.password === ''}
      close={close}
      onSubmit={() => {
        create.mutate(wish, {
          onSuccess: () => {
            close()
            void go(`/people/${encodeURIComponent(wish.name)}`)
          },
        })
      }}
    >
      <PersonFields wish={wish} set={set} />
    </FormDialogue>
  )
}

interface PersonFieldsProps {
  readonly wish: Wish
  readonly set: (part: Partial<Wish>) => void
}

function PersonFields({ wish, set }: PersonFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('people.name')}
        isRequired
        value={wish.name}
        onChange={(name) => {
          set({ name })
        }}
      />
      <TextField
        label={t('people.displayName')}
        value={wish.displayName}
        onChange={(displayName) => {
          set({ displayName })
        }}
      />
      <TextField
        label={t('people.password')}
        type="password"
        isRequired
        value={wish.password}
        onChange={(password) => {
          set({ password })
        }}
        hint={t('people.passwordHint')}
      />
      <RolesField
        value={wish.roles}
        onChange={(roles) => {
          set({ roles })
        }}
      />
    </>
  )
}
