import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { TextField } from './fields.js'

/** As they are typed. */
export interface Hardware {
  readonly memoryMib: string
  readonly vcpus: string
  readonly network: string
}

/** Memory, processors and network of a machine. `prefix`: of the fields' ids. */
export function HardwareFields({
  prefix,
  wish,
  set,
}: {
  readonly prefix: string
  readonly wish: Hardware
  readonly set: (part: Partial<Hardware>) => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <TextField
        id={`${prefix}memory`}
        label={t('machines.memoryMib')}
        number
        value={wish.memoryMib}
        set={(memoryMib) => {
          set({ memoryMib })
        }}
      />
      <TextField
        id={`${prefix}vcpus`}
        label={t('machines.vcpus')}
        number
        value={wish.vcpus}
        set={(vcpus) => {
          set({ vcpus })
        }}
      />
      <TextField
        id={`${prefix}network`}
        label={t('machines.network')}
        value={wish.network}
        set={(network) => {
          set({ network })
        }}
        about={t('machines.networkAbout')}
      />
    </>
  )
}
