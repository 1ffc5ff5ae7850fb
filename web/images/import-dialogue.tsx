import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextInput } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { JobRef } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { Confirm } from '../parts/confirm.js'

/** Takes a disk image that lies on the hypervisor in the place of the machine's disk. */
export function ImportDialogue ({ machine, begun, close }: { machine: Machine, begun: (job: string) => void, close: () => void }): ReactElement {
  const { t } = useTranslation()
  const [file, setFile] = useState('/var/lib/berth/import/')
  const take = useAct(async () => await api<JobRef>('POST', path`/machines/${machine.name}/import`, { body: { path: file } }))
  return (
    <Confirm title={t('images.importTitle', { name: machine.name })} action={t('images.import')} danger pending={take.isPending} error={take.error} close={close} onConfirm={() => { take.mutate(undefined, { onSuccess: ({ job }) => { begun(job) } }) }}>
      <p>{t('images.importText', { name: machine.name, hypervisor: machine.hypervisor })}</p>
      <FormGroup label={t('images.importPath')} fieldId="import-path" isRequired>
        <TextInput id="import-path" className="berth-mono" value={file} onChange={(_event, value) => { setFile(value) }} />
        <FormHelperText><HelperText><HelperTextItem>{t('images.importAbout', { hypervisor: machine.hypervisor })}</HelperTextItem></HelperText></FormHelperText>
      </FormGroup>
    </Confirm>
  )
}
