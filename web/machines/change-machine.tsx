import { Alert } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Machine, MachinePatch, MachinesAndJob } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { FormDialogue } from '../parts/form-dialogue.js'
import { HardwareFields } from './hardware-fields.js'
import type { Wish } from './machine-wish.js'
import { ParentField, TypeField } from './type-fields.js'
import { useMachines } from './use-machines.js'

interface ChangeMachineProps {
  readonly machine: Machine
  readonly close: () => void
}

/** As it is typed. */
type Changed = Pick<Wish, 'type' | 'parent' | 'memoryMib' | 'vcpus' | 'network'>

/** Changes type and hardware of a machine. */
export function ChangeMachine({ machine, close }: ChangeMachineProps): ReactElement {
  const { t } = useTranslation()
  const [wish, setWish] = useState<Changed>({
    type: machine.type,
    parent: machine.parent ?? '',
    memoryMib: String(machine.memoryMib),
    vcpus: String(machine.vcpus),
    network: machine.network,
  })
  const patch = patchOf(machine, wish)
  const change = useAct(
    async () =>
      await api<MachinesAndJob>('PATCH', path`/machines/${machine.name}`, { body: patch }),
  )
  const set = (part: Partial<Changed>): void => {
    setWish((before) => ({ ...before, ...part }))
  }
  return (
    <FormDialogue
      title={t('machines.changeTitle', { name: machine.name })}
      action={t('machines.save')}
      pending={change.isPending}
      error={change.error}
      isDisabled={Object.keys(patch).length === 0}
      close={close}
      onSubmit={() => {
        change.mutate(undefined, { onSuccess: close })
      }}
    >
      <KindChange machine={machine} wish={wish} set={set} />
      <HardwareFields wish={wish} set={set} />
      {machine.power !== 'off' && (
        <Alert isInline isPlain variant="info" title={t('machines.changeLater')} />
      )}
    </FormDialogue>
  )
}

interface KindChangeProps {
  readonly machine: Machine
  readonly wish: Changed
  readonly set: (part: Partial<Changed>) => void
}

/** Its type and parent; with the type that it has, its parent is chosen again. */
function KindChange({ machine, wish, set }: KindChangeProps): ReactElement {
  const machines = useMachines().data?.machines ?? []
  return (
    <>
      <TypeField
        type={wish.type}
        onChange={(type) => {
          set({ type, parent: type === machine.type ? (machine.parent ?? '') : '' })
        }}
      />
      <ParentField
        type={wish.type}
        machines={machines}
        parent={wish.parent}
        onChange={(parent) => {
          set({ parent })
        }}
      />
    </>
  )
}

function patchOf(machine: Machine, wish: Changed): MachinePatch {
  return {
    ...(wish.type === machine.type ? {} : { type: wish.type }),
    ...(wish.parent === (machine.parent ?? '')
      ? {}
      : { parent: wish.parent === '' ? null : wish.parent }),
    ...(Number(wish.memoryMib) === machine.memoryMib ? {} : { memoryMib: Number(wish.memoryMib) }),
    ...(Number(wish.vcpus) === machine.vcpus ? {} : { vcpus: Number(wish.vcpus) }),
    ...(wish.network === machine.network ? {} : { network: wish.network }),
  }
}
