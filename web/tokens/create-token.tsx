import {
  Alert,
  Button,
  ClipboardCopy,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
} from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { api } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ChoiceField, ManyField, TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { type PartialScope, PARTIAL_SCOPES, scopeName } from './scopes.js'

const DAY_MS = 86_400_000
const VALID_DAYS = ['30', '90', '365', 'longest'] as const
type ValidDays = (typeof VALID_DAYS)[number]
const MAYS = ['all', 'some'] as const

interface Wish {
  readonly name: string
  readonly may: (typeof MAYS)[number]
  readonly scopes: readonly PartialScope[]
  readonly days: ValidDays
}
const FIRST: Wish = { name: '', may: 'all', scopes: [], days: '90' }

interface CreateTokenProps {
  readonly made: () => void
  readonly close: () => void
}

/** Makes a token and shows it, once: it is kept in this dialogue only, and gone when that closes. */
export function CreateToken({ made, close }: CreateTokenProps): ReactElement {
  const { t } = useTranslation()
  const [wish, setWish] = useState(FIRST)
  const [token, setToken] = useState<string | null>(null)
  const create = useAct(async () => {
    setToken((await api<{ token: string }>('POST', '/tokens', { body: bodyOf(wish) })).token)
    made()
  })
  const set = (part: Partial<Wish>): void => {
    setWish({ ...wish, ...part })
  }
  if (token !== null) return <Shown token={token} name={wish.name} close={close} />
  return (
    <FormDialogue
      title={t('tokens.create')}
      action={t('tokens.create')}
      pending={create.isPending}
      error={create.error}
      isDisabled={wish.name.trim() === '' || (wish.may === 'some' && wish.scopes.length === 0)}
      close={close}
      onSubmit={() => {
        create.mutate(undefined)
      }}
    >
      <WishFields wish={wish} set={set} />
    </FormDialogue>
  )
}

interface WishFieldsProps {
  readonly wish: Wish
  readonly set: (part: Partial<Wish>) => void
}

function WishFields({ wish, set }: WishFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('tokens.name')}
        isRequired
        value={wish.name}
        onChange={(name) => {
          set({ name })
        }}
        hint={t('tokens.nameHint')}
      />
      <ChoiceField
        label={t('tokens.ends')}
        value={wish.days}
        onChange={(days) => {
          set({ days })
        }}
        choices={VALID_DAYS.map((value) => ({ value, name: t(`tokens.validFor.${value}`) }))}
      />
      <ChoiceField
        label={t('tokens.may')}
        value={wish.may}
        onChange={(may) => {
          set({ may })
        }}
        choices={MAYS.map((value) => ({ value, name: t(`tokens.mays.${value}`) }))}
      />
      {wish.may === 'some' && <ScopesField wish={wish} set={set} />}
    </>
  )
}

function ScopesField({ wish, set }: WishFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ManyField
      label={t('tokens.atMost')}
      value={wish.scopes}
      onChange={(scopes) => {
        set({ scopes })
      }}
      hint={t('tokens.atMostHint')}
      choices={PARTIAL_SCOPES.map((value) => ({ value, name: scopeName(t, value) }))}
    />
  )
}

function bodyOf({ name, may, scopes, days }: Wish): object {
  return {
    name: name.trim(),
    ...(may === 'some' ? { scopes } : {}),
    ...(days === 'longest' ? {} : { validForMs: Number(days) * DAY_MS }),
  }
}

/** It has no other way out than its button: a key pressed by mistake would lose the token. */
function Shown({
  token,
  name,
  close,
}: {
  token: string
  name: string
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <Modal isOpen variant="small" aria-label={t('tokens.shownTitle', { name })}>
      <ModalHeader title={t('tokens.shownTitle', { name })} />
      <ModalBody>
        <Alert isInline variant="warning" title={t('tokens.once')}>
          {t('tokens.onceHint')}
        </Alert>
        <ClipboardCopy
          className="berth-below"
          isReadOnly
          isCode
          hoverTip={t('tokens.copy')}
          clickTip={t('tokens.copied')}
          textAriaLabel={t('tokens.token')}
          copyAriaLabel={t('tokens.copy')}
        >
          {token}
        </ClipboardCopy>
      </ModalBody>
      <ModalFooter>
        <Button onClick={close}>{t('tokens.have')}</Button>
      </ModalFooter>
    </Modal>
  )
}
