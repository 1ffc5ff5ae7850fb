import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobRef } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { TextField } from '../parts/fields.js'
import { FormDialogue } from '../parts/form-dialogue.js'

/**
 * Takes a disk image that lies on the hypervisor in the place of the machine's disk. Where images
 * may lie there is the hypervisor's own setting, which only it knows.
 */
export function ImportDialogue({
  machine,
  begun,
  close,
}: {
  machine: Machine
  begun: (job: string) => void
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  const [file, setFile] = useState('')
  const take = useAct(
    async () =>
      await api<JobRef>('POST', path`/machines/${machine.name}/import`, {
        body: { path: file.trim() },
      }),
  )
  return (
    <FormDialogue
      title={t('images.importTitle', { name: machine.name })}
      action={t('images.import')}
      pending={take.isPending}
      error={take.error}
      isDisabled={!file.trim().startsWith('/')}
      close={close}
      onSubmit={() => {
        take.mutate(undefined, {
          onSuccess: ({ job }) => {
            begun(job)
          },
        })
      }}
    >
      <p>{t('images.importText', { name: machine.name, hypervisor: machine.hypervisor })}</p>
      <TextField
        label={t('images.importPath')}
        isRequired
        value={file}
        onChange={setFile}
        hint={t('images.importAbout', { hypervisor: machine.hypervisor })}
      />
    </FormDialogue>
  )
}
