import { Checkbox, TextInput } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { HostKeys, Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { Affected } from '../machines/act-dialogue.js'
import { TextField } from '../machines/fields.js'
import { Actions } from '../parts/actions.js'
import { Confirm } from '../parts/confirm.js'
import { Loaded } from '../parts/loaded.js'

type Asking = 'maintenance' | 'edit' | 'hostKey' | 'delete'
interface Props {
  readonly hypervisor: Hypervisor
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
}

/** What can be done with a hypervisor. */
export function HypervisorMenu(props: Props): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState<Asking | null>(null)
  const { hypervisor } = props
  const close = (): void => {
    setAsking(null)
  }
  const navigate = useNavigate()
  const choices: readonly Asking[] = ['maintenance', 'edit', 'hostKey', 'delete']
  const nameOf = (one: Asking): string =>
    one === 'maintenance'
      ? t(hypervisor.maintenance ? 'machines.acts.maintenanceOff' : 'machines.acts.maintenanceOn')
      : one === 'delete'
        ? t('machines.acts.delete')
        : t(`hypervisors.${one}`)
  return (
    <>
      <Actions
        label={t('machines.actionsOf', { name: hypervisor.name })}
        text={t('machines.actions')}
        actions={[
          {
            name: t('drain.short'),
            onClick: () => {
              void navigate(path`/hypervisors/${hypervisor.name}/drain`)
            },
          },
          ...choices.map((one) => ({
            name: nameOf(one),
            isDanger: one === 'delete',
            onClick: () => {
              setAsking(one)
            },
          })),
        ]}
      />
      {asking === 'maintenance' && <Maintain {...props} close={close} />}
      {asking === 'edit' && <Edit hypervisor={hypervisor} close={close} />}
      {asking === 'hostKey' && <HostKey hypervisor={hypervisor} close={close} />}
      {asking === 'delete' && <Remove {...props} close={close} />}
    </>
  )
}

function Maintain({
  hypervisor: { name, maintenance },
  machines,
  desktops,
  close,
}: Props & { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [reason, setReason] = useState('')
  const change = useAct(
    async () =>
      await api('PUT', path`/hypervisors/${name}/maintenance`, {
        body: { on: !maintenance, ...(reason === '' ? {} : { reason }) },
      }),
  )
  const word = maintenance ? 'machines.acts.maintenanceOff' : 'machines.acts.maintenanceOn'
  return (
    <Confirm
      title={t('machines.askOne', { act: t(word), name })}
      action={t(word)}
      pending={change.isPending}
      error={change.error}
      close={close}
      onConfirm={() => {
        change.mutate(undefined, { onSuccess: close })
      }}
    >
      <p>{t(maintenance ? 'hypervisors.maintenanceEnds' : 'hypervisors.maintenanceMeans')}</p>
      {!maintenance && (
        <>
          <Affected machines={machines} desktops={desktops} />
          <label>
            {t('machines.reason')}
            <TextInput
              value={reason}
              maxLength={200}
              aria-label={t('machines.reason')}
              onChange={(_event, value) => {
                setReason(value)
              }}
            />
          </label>
        </>
      )}
    </Confirm>
  )
}

interface EditProps {
  readonly hypervisor: Hypervisor
  readonly close: () => void
}

function Edit({ hypervisor, close }: EditProps): ReactElement {
  const { t } = useTranslation()
  const [displayAddress, setDisplay] = useState(hypervisor.displayAddress)
  const [listenAddress, setListen] = useState(hypervisor.listenAddressSetting)
  const [maxStarts, setStarts] = useState(String(hypervisor.maxStarts))
  const change = useAct(
    async () =>
      await api('PATCH', path`/hypervisors/${hypervisor.name}`, {
        body: {
          maxStarts: Number(maxStarts),
          ...(displayAddress === hypervisor.displayAddress ? {} : { displayAddress }),
          ...(listenAddress === hypervisor.listenAddressSetting ? {} : { listenAddress }),
        },
      }),
  )
  return (
    <Confirm
      title={t('machines.changeTitle', { name: hypervisor.name })}
      action={t('machines.save')}
      pending={change.isPending}
      error={change.error}
      close={close}
      onConfirm={() => {
        change.mutate(undefined, { onSuccess: close })
      }}
    >
      <TextField
        id="edit-display"
        label={t('hypervisors.displayAddress')}
        value={displayAddress}
        set={setDisplay}
        about={t('hypervisors.displayAbout')}
      />
      <TextField
        id="edit-listen"
        label={t('hypervisors.listenAddress')}
        value={listenAddress}
        set={setListen}
        about={t('hypervisors.displayAbout')}
      />
      <TextField
        id="edit-starts"
        label={t('hypervisors.maxStarts')}
        number
        value={maxStarts}
        set={setStarts}
      />
    </Confirm>
  )
}

interface HostKeyProps {
  readonly hypervisor: Hypervisor
  readonly close: () => void
}

/** The pinned key beside the one that the host shows now; another one is pinned only after it was compared. */
function HostKey({ hypervisor: { name }, close }: HostKeyProps): ReactElement {
  const { t } = useTranslation()
  const [compared, setCompared] = useState(false)
  const keys = useGet<HostKeys>(path`/hypervisors/${name}/host-key`, ['hypervisors'])
  const offered = keys.data?.offered ?? null
  const changed = offered !== null && offered !== keys.data?.pinned
  const trust = useAct(
    async () =>
      await api('POST', path`/hypervisors/${name}/trust`, { body: { fingerprint: offered } }),
  )
  return (
    <Confirm
      title={t('hypervisors.hostKeyOf', { name })}
      action={t(changed ? 'hypervisors.trust' : 'common.close')}
      danger={changed}
      pending={trust.isPending || (changed && !compared)}
      error={trust.error}
      close={close}
      onConfirm={() => {
        changed ? trust.mutate(undefined, { onSuccess: close }) : close()
      }}
    >
      <Loaded query={keys}>
        {({ pinned, reason }) => (
          <>
            <p>
              {t('hypervisors.pinned')}: <span className="berth-mono">{pinned}</span>
            </p>
            <p>
              {t('hypervisors.offered')}:{' '}
              <span className="berth-mono">{offered ?? reason ?? '–'}</span>
            </p>
            {!changed && offered !== null && <p>{t('hypervisors.sameKey')}</p>}
            {changed && (
              <>
                <p>
                  {t('hypervisors.compareHow')}{' '}
                  <code>ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub</code>
                </p>
                <Checkbox
                  id="key-compared"
                  label={t('hypervisors.compared')}
                  isChecked={compared}
                  onChange={(_event, on) => {
                    setCompared(on)
                  }}
                />
              </>
            )}
          </>
        )}
      </Loaded>
    </Confirm>
  )
}

function Remove({
  hypervisor: { name },
  machines,
  desktops,
  close,
}: Props & { close: () => void }): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [force, setForce] = useState(false)
  const remove = useAct(
    async () => await api('DELETE', `${path`/hypervisors/${name}`}${force ? '?force=true' : ''}`),
  )
  return (
    <Confirm
      title={t('machines.askOne', { act: t('machines.acts.delete'), name })}
      action={t('machines.acts.delete')}
      danger
      typed={name}
      pending={remove.isPending}
      error={remove.error}
      close={close}
      onConfirm={() => {
        remove.mutate(undefined, {
          onSuccess: () => {
            void navigate('/hypervisors')
          },
        })
      }}
    >
      <p>{t('hypervisors.deleteMeans')}</p>
      {machines.length > 0 && (
        <>
          <Affected machines={machines} desktops={desktops} />
          <Checkbox
            id="delete-force"
            label={t('hypervisors.forget', { count: machines.length })}
            isChecked={force}
            onChange={(_event, on) => {
              setForce(on)
            }}
          />
        </>
      )}
    </Confirm>
  )
}
