import { ActionGroup, Alert, Button, ClipboardCopy, Form, Spinner } from '@patternfly/react-core'
import { type FormEvent, type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Hypervisor, HypervisorAdded, ScanResult } from '../../broker/api/hypervisors.js'
import { api, path } from '../api/client.js'
import { useAct, useGet } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { ChoiceField, TextField } from '../parts/fields.js'
import { useParam } from '../parts/choice-filter.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { ComparedBox } from './compared-box.js'
import { HypervisorLabel } from './hypervisor-label.js'

const VIRT_TYPES = ['auto', 'kvm', 'qemu'] as const
interface Wish {
  readonly name: string
  readonly address: string
  readonly port: string
  readonly displayAddress: string
  readonly virtType: (typeof VIRT_TYPES)[number]
}

/**
 * Address → host key, compared by a human → added → a line for the host → up. The added one stands
 * in the address.
 */
export function AddHypervisor(): ReactElement {
  const { t } = useTranslation()
  const [added, setAdded] = useParam('added')
  return (
    <>
      <PageHead
        title={t('hypervisors.addTitle')}
        above={[{ to: '/hypervisors', name: t('navigation.hypervisors') }]}
      />
      {added === '' ? <AddForm done={setAdded} /> : <Arriving name={added} />}
    </>
  )
}

const NOTHING: Wish = { name: '', address: '', port: '22', displayAddress: '', virtType: 'auto' }

function AddForm({ done }: { done: (name: string) => void }): ReactElement {
  const { t } = useTranslation()
  const [wish, setWish] = useState<Wish>(NOTHING)
  const [compared, setCompared] = useState(false)
  const { scan, add } = useAdding(wish)
  const isPending = scan.isPending || add.isPending
  const isWhole = wish.name !== '' && wish.address !== ''
  const set = (change: Partial<Wish>): void => {
    setWish((before) => ({ ...before, ...change }))
  }
  const moved = (change: Partial<Wish>): void => {
    set(change)
    scan.reset()
    setCompared(false)
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!scan.data) scan.mutate(undefined)
    else
      add.mutate(scan.data.fingerprint, {
        onSuccess: ({ hypervisor }) => {
          done(hypervisor.name)
        },
      })
  }
  return (
    <Form className="berth-form" onSubmit={submit}>
      <ErrorAlert error={scan.error ?? add.error} />
      <WishFields wish={wish} set={set} moved={moved} />
      {scan.data && <Compare scan={scan.data} compared={compared} setCompared={setCompared} />}
      <ActionGroup>
        <Button
          type="submit"
          isLoading={isPending}
          isDisabled={isPending || !isWhole || (scan.data !== undefined && !compared)}
        >
          {t(scan.data ? 'hypervisors.add' : 'hypervisors.scan')}
        </Button>
      </ActionGroup>
    </Form>
  )
}

/** First the host is asked for its key; it is added by the key that was compared. */
function useAdding({ name, address, port, virtType, displayAddress }: Wish) {
  const scan = useAct(
    async () =>
      await api<ScanResult>('POST', '/hypervisors/scan', {
        body: { address, port: Number(port) },
      }),
  )
  const add = useAct(
    async (fingerprint: string) =>
      await api<HypervisorAdded>('POST', '/hypervisors', {
        body: {
          name,
          address,
          port: Number(port),
          fingerprint,
          virtType,
          ...(displayAddress === '' ? {} : { displayAddress }),
        },
      }),
  )
  return { scan, add }
}

interface WishFieldsProps {
  readonly wish: Wish
  readonly set: (change: Partial<Wish>) => void
  /** It is another host: the key that was seen is not its key. */
  readonly moved: (change: Partial<Wish>) => void
}

function WishFields({ wish, set, moved }: WishFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('machines.name')}
        isRequired
        value={wish.name}
        onChange={(name) => {
          set({ name })
        }}
      />
      <AddressFields wish={wish} moved={moved} />
      <TextField
        label={t('hypervisors.displayAddress')}
        value={wish.displayAddress}
        onChange={(displayAddress) => {
          set({ displayAddress })
        }}
        hint={t('hypervisors.displayAbout')}
      />
      <ChoiceField
        label={t('hypervisors.virt')}
        value={wish.virtType}
        onChange={(virtType) => {
          set({ virtType })
        }}
        choices={VIRT_TYPES.map((value) => ({ value, name: t(`hypervisors.virtTypes.${value}`) }))}
      />
    </>
  )
}

function AddressFields({ wish, moved }: Pick<WishFieldsProps, 'wish' | 'moved'>): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('hypervisors.address')}
        isRequired
        value={wish.address}
        onChange={(address) => {
          moved({ address })
        }}
        hint={t('hypervisors.addressAbout')}
      />
      <TextField
        label={t('hypervisors.port')}
        type="number"
        value={wish.port}
        onChange={(port) => {
          moved({ port })
        }}
      />
    </>
  )
}

interface CompareProps {
  readonly scan: ScanResult
  readonly compared: boolean
  readonly setCompared: (compared: boolean) => void
}

function Compare({ scan, compared, setCompared }: CompareProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Alert isInline isLiveRegion variant="info" title={t('hypervisors.compare')}>
      <p className="berth-mono">
        {scan.keyType} {scan.fingerprint}
      </p>
      <ComparedBox isChecked={compared} onChange={setCompared} />
    </Alert>
  )
}

/** Shows the line for the host, and how it comes up. */
function Arriving({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const hypervisor = useGet<Hypervisor>(path`/hypervisors/${name}`, ['hypervisors'])
  return (
    <Loaded query={hypervisor}>
      {(one) => (
        <div role="status">
          <p>
            <strong>{name}</strong> <HypervisorLabel hypervisor={one} />{' '}
            {one.state !== 'up' && <Spinner size="md" aria-label={t('hypervisors.waiting')} />}{' '}
            <span className="berth-quiet">{one.reason}</span>
          </p>
          {one.state === 'up' ? (
            <Alert isInline variant="success" title={t('hypervisors.isUp', { name })}>
              <Link to={path`/hypervisors/${name}`}>{t('hypervisors.look')}</Link>
            </Alert>
          ) : (
            <InstallLine name={name} />
          )}
        </div>
      )}
    </Loaded>
  )
}

export function InstallLine({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const line = useGet<{ installLine: string }>(path`/hypervisors/${name}/install-line`, [])
  return (
    <Loaded query={line}>
      {({ installLine }) => (
        <>
          <p>{t('hypervisors.paste', { name })}</p>
          <ClipboardCopy
            isReadOnly
            isCode
            hoverTip={t('machines.copyText')}
            clickTip={t('machines.copied')}
            textAriaLabel={t('hypervisors.line')}
            copyAriaLabel={t('machines.copyText')}
          >
            {installLine}
          </ClipboardCopy>
        </>
      )}
    </Loaded>
  )
}
