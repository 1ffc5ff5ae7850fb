import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { TextField } from '../parts/fields.js'

/** As they are typed. */
export interface Hardware {
  readonly memoryMib: string
  readonly vcpus: string
  readonly network: string
}

/** Memory, processors and network of a machine. */
export function HardwareFields({
  wish,
  set,
}: {
  readonly wish: Hardware
  readonly set: (part: Partial<Hardware>) => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        label={t('machines.memoryMib')}
        type="number"
        value={wish.memoryMib}
        onChange={(memoryMib) => {
          set({ memoryMib })
        }}
      />
      <TextField
        label={t('machines.vcpus')}
        type="number"
        value={wish.vcpus}
        onChange={(vcpus) => {
          set({ vcpus })
        }}
      />
      <TextField
        label={t('machines.network')}
        value={wish.network}
        onChange={(network) => {
          set({ network })
        }}
        hint={t('machines.networkAbout')}
      />
    </>
  )
}
