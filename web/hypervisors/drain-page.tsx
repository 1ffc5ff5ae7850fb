import { Alert, Button, Form, Progress, ProgressVariant } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import type { DrainState } from '../../broker/api/drains.js'
import type { Session } from '../../broker/api/users.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'
import { ChoiceField, TextField } from '../parts/fields.js'
import { useNamedHolders } from '../parts/holders.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'
import { affectedBy, DrainMachines } from './drain-machines.js'

/** How far a hypervisor is being emptied; or what would happen, and the way to begin. */
export function DrainPage({ session }: { session: Session }): ReactElement {
  const { name = '' } = useParams()
  const { t } = useTranslation()
  const state = useDrain(name)
  return (
    <>
      <PageHead
        title={t('drain.title', { name })}
        above={[
          { to: '/hypervisors', name: t('navigation.hypervisors') },
          { to: path`/hypervisors/${name}`, name },
        ]}
      >
        {state.data?.drain && session.role === 'admin' && <EndButton name={name} />}
      </PageHead>
      <Loaded query={state}>
        {(now) => (
          <>
            {now.drain ? (
              <DrainProgress name={name} state={now} />
            ) : (
              <Plan name={name} state={now} admin={session.role === 'admin'} />
            )}
            <DrainMachines state={now} />
          </>
        )}
      </Loaded>
    </>
  )
}

export function useDrain(name: string): ReturnType<typeof useGet<DrainState>> {
  return useGet<DrainState>(path`/hypervisors/${name}/drain`, [
    'hypervisors',
    'machines',
    'desktops',
    'pools',
    'sessions',
  ])
}

/** `3 of 12 left`, until it is empty. */
export function DrainProgress({
  name,
  state: { drain, left, others },
}: {
  name: string
  state: DrainState
}): ReactElement | null {
  const { t } = useTranslation()
  if (drain === null) return null
  const empty = drain.emptyAt !== null && left === 0
  const own = left - others.length
  const words = empty
    ? t('drain.empty')
    : own > 0
      ? t('drain.left', { left: own, total: drain.total })
      : others.length > 0
        ? t('drain.othersLeft')
        : t('drain.looking')
  return (
    <div role="status" className="berth-run">
      <Progress
        aria-label={t('drain.title', { name })}
        title={words}
        value={drain.total === 0 ? 100 : (100 * (drain.total - own)) / drain.total}
        measureLocation="none"
        size="sm"
        {...(empty ? { variant: ProgressVariant.success } : {})}
      />
      <p className="berth-quiet">
        {t('drain.begun')} <When at={drain.beganAt} />, {t('doctor.by', { who: drain.by })}.{' '}
        {drain.deadline === null ? (
          t('drain.noDeadline')
        ) : (
          <>
            {t('drain.deadlineAt')} <When at={drain.deadline} />.
          </>
        )}{' '}
        {drain.message !== '' && t('drain.said', { message: drain.message })}
      </p>
    </div>
  )
}

function EndButton({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState(false)
  const end = useAct(
    async () => await api('PUT', path`/hypervisors/${name}/maintenance`, { body: { on: false } }),
  )
  return (
    <>
      <Button
        variant="secondary"
        onClick={() => {
          setAsking(true)
        }}
      >
        {t('drain.end')}
      </Button>
      {asking && (
        <Confirm
          title={t('drain.endTitle', { name })}
          action={t('drain.end')}
          pending={end.isPending}
          error={end.error}
          close={() => {
            setAsking(false)
          }}
          onConfirm={() => {
            end.mutate(undefined, {
              onSuccess: () => {
                setAsking(false)
              },
            })
          }}
        >
          <p>{t('drain.endMeans')}</p>
        </Confirm>
      )}
    </>
  )
}

const DEADLINES = ['', 'PT15M', 'PT1H', 'PT4H', 'PT24H'] as const
interface Wish {
  readonly reason: string
  readonly message: string
  readonly deadline: string
}

interface PlanProps {
  readonly name: string
  readonly state: DrainState
  readonly admin: boolean
}

/** What it means, and for whom; then the question. */
function Plan({ name, state, admin }: PlanProps): ReactElement {
  const { t } = useTranslation()
  const [wish, setWish] = useState<Wish>({ reason: '', message: '', deadline: '' })
  const [asking, setAsking] = useState(false)
  const set = (change: Partial<Wish>): void => {
    setWish((before) => ({ ...before, ...change }))
  }
  return (
    <>
      <p>{t('drain.means')}</p>
      {admin && (
        <Form
          className="berth-form berth-run"
          onSubmit={(event) => {
            event.preventDefault()
            setAsking(true)
          }}
        >
          <WishFields wish={wish} set={set} />
          <div>
            <Button type="submit" variant="danger">
              {t('drain.begin', { name })}
            </Button>
          </div>
        </Form>
      )}
      {asking && (
        <BeginDialogue
          name={name}
          state={state}
          wish={wish}
          close={() => {
            setAsking(false)
          }}
        />
      )}
    </>
  )
}

interface WishFieldsProps {
  readonly wish: Wish
  readonly set: (change: Partial<Wish>) => void
}

function WishFields({ wish, set }: WishFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('drain.reason')}
        value={wish.reason}
        onChange={(reason) => {
          set({ reason })
        }}
        hint={t('drain.reasonHint')}
      />
      <TextField
        label={t('drain.message')}
        value={wish.message}
        onChange={(message) => {
          set({ message })
        }}
        hint={t('drain.messageHint')}
      />
      <ChoiceField
        label={t('drain.deadline')}
        value={wish.deadline}
        onChange={(deadline) => {
          set({ deadline })
        }}
        choices={DEADLINES.map((value) => ({
          value,
          name: t(`drain.deadlines.${value === '' ? 'none' : value}`),
        }))}
        hint={t('drain.deadlineHint')}
      />
    </>
  )
}

interface BeginDialogueProps {
  readonly name: string
  readonly state: DrainState
  readonly wish: Wish
  readonly close: () => void
}

function BeginDialogue({ name, state, wish, close }: BeginDialogueProps): ReactElement {
  const { t } = useTranslation()
  const begin = useAct(
    async () =>
      await api<DrainState>('POST', path`/hypervisors/${name}/drain`, {
        body: Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== '')),
      }),
  )
  return (
    <Confirm
      title={t('drain.beginTitle', { name })}
      action={t('drain.begin', { name })}
      danger
      pending={begin.isPending}
      error={begin.error}
      close={close}
      onConfirm={() => {
        begin.mutate(undefined, { onSuccess: close })
      }}
    >
      <Consequences state={state} deadline={wish.deadline !== ''} />
    </Confirm>
  )
}

/** Exactly who and what. */
function Consequences({ state, deadline }: { state: DrainState; deadline: boolean }): ReactElement {
  const { t } = useTranslation()
  const lines = affectedBy(useNamedHolders(state.machines))
  return (
    <>
      <p>{t('hypervisors.maintenanceMeans')}</p>
      {lines.length === 0 && <p>{t('drain.nothing')}</p>}
      <ul className="berth-affected">
        {lines.map(({ step, names }) => (
          <li key={step}>
            {t(`drain.will.${step === 'holder' && deadline ? 'holderUntil' : step}`, {
              names: names.join(', '),
            })}
          </li>
        ))}
      </ul>
      {state.others.length > 0 && (
        <Alert
          isInline
          variant="warning"
          title={t('drain.others', { names: state.others.join(', ') })}
        />
      )}
    </>
  )
}
