import { Alert } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobRef } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ChoiceField } from '../machines/fields.js'
import { Confirm } from '../parts/confirm.js'

const OFF = ['off', 'missing', 'crashed', 'unknown']

interface CopyDialogueProps {
  readonly initial: Machine
  readonly all: readonly Machine[]
  readonly begun: (job: string) => void
  readonly close: () => void
}

/** *Copy disk from source*: says that a new generation comes, that nobody notices it yet, and what must be off. */
export function CopyDialogue({ initial, all, begun, close }: CopyDialogueProps): ReactElement {
  const { t } = useTranslation()
  const sources = all.filter(({ type }) => type === 'source' || type === 'simple')
  const [source, setSource] = useState(initial.parent ?? '')
  const copy = useAct(
    async () =>
      await api<JobRef>('POST', path`/machines/${initial.name}/copy`, {
        body: source === '' || source === initial.parent ? {} : { source },
      }),
  )
  const running = [all.find(({ name }) => name === source), initial].flatMap((machine) =>
    machine && !OFF.includes(machine.power) ? [machine] : [],
  )
  const machines = all.filter(({ parent, type }) => parent === initial.name && type === 'vdi')
  return (
    <Confirm
      title={t('images.copyTitle', { name: initial.name })}
      action={t('images.copy')}
      pending={copy.isPending}
      ready={source !== ''}
      error={copy.error}
      close={close}
      onConfirm={() => {
        copy.mutate(undefined, {
          onSuccess: ({ job }) => {
            begun(job)
          },
        })
      }}
    >
      <ChoiceField
        id="copy-source"
        label={t('images.from')}
        value={source}
        set={setSource}
        options={[
          ...(source === '' ? [{ value: '', name: t('machines.chooseParent') }] : []),
          ...sources.map(({ name }) => ({ value: name, name })),
        ]}
      />
      <p>{t('images.copyText', { source: source === '' ? '…' : source, name: initial.name })}</p>
      <p>{t('images.copyAffects', { count: machines.length })}</p>
      {running.map(({ name, power }) => (
        <Alert
          key={name}
          isInline
          variant="warning"
          title={t('images.mustBeOff', {
            name,
            power: t(`machines.powers.${power}`).toLocaleLowerCase(),
          })}
        />
      ))}
    </Confirm>
  )
}
