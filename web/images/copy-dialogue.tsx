import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobRef } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ChoiceField } from '../parts/fields.js'
import { Confirm } from '../parts/confirm.js'
import { MustBeOff } from './must-be-off.js'

interface CopyDialogueProps {
  readonly initial: Machine
  readonly all: readonly Machine[]
  readonly begun: (job: string) => void
  readonly close: () => void
}

/** *Copy disk from source*: says that a new generation comes, that nobody notices it yet, and what must be off. */
export function CopyDialogue({ initial, all, begun, close }: CopyDialogueProps): ReactElement {
  const { t } = useTranslation()
  const [source, setSource] = useState(initial.parent ?? '')
  const copy = useAct(
    async () =>
      await api<JobRef>('POST', path`/machines/${initial.name}/copy`, {
        body: source === '' || source === initial.parent ? {} : { source },
      }),
  )
  const copied = all.find(({ name }) => name === source)
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
      <SourceField
        sources={all.filter(({ type }) => type === 'source' || type === 'simple')}
        source={source}
        onChange={setSource}
      />
      <p>{t('images.copyText', { source: source === '' ? '…' : source, name: initial.name })}</p>
      <p>{t('images.copyAffects', { count: machines.length })}</p>
      {copied && <MustBeOff machine={copied} />}
      <MustBeOff machine={initial} />
    </Confirm>
  )
}

interface SourceFieldProps {
  readonly sources: readonly Machine[]
  readonly source: string
  readonly onChange: (source: string) => void
}

function SourceField({ sources, source, onChange }: SourceFieldProps): ReactElement {
  const { t } = useTranslation()
  return (
    <ChoiceField
      label={t('images.from')}
      value={source}
      onChange={onChange}
      choices={[
        ...(source === '' ? [{ value: '', name: t('machines.chooseParent') }] : []),
        ...sources.map(({ name }) => ({ value: name, name })),
      ]}
    />
  )
}
