import {
  Alert,
  Button,
  Form,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
} from '@patternfly/react-core'
import { type FormEvent, type ReactElement, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  type Machine,
  MACHINE_TYPES,
  type MachinePatch,
  type MachinesAndJob,
  type MachineType,
} from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { ChoiceField } from './fields.js'
import { HardwareFields } from './hardware-fields.js'
import { PARENT_TYPE } from './machine-wish.js'
import { useMachines } from './use-machines.js'

interface ChangeMachineProps {
  readonly machine: Machine
  readonly close: () => void
}

/** Changes type and hardware of a machine. */
export function ChangeMachine({ machine, close }: ChangeMachineProps): ReactElement {
  const { t } = useTranslation()
  const id = useId()
  const [wish, setWish] = useState({
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
  const set = (part: Partial<typeof wish>): void => {
    setWish((before) => ({ ...before, ...part }))
  }
  const parents = (useMachines().data?.machines ?? []).filter(
    ({ type }) => type === PARENT_TYPE[wish.type],
  )
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    change.mutate(undefined, { onSuccess: close })
  }
  return (
    <Modal isOpen variant="small" onClose={close} aria-labelledby={id}>
      <ModalHeader title={t('machines.changeTitle', { name: machine.name })} labelId={id} />
      <ModalBody>
        <Form id={`${id}-form`} onSubmit={submit}>
          <ErrorAlert error={change.error} />
          <ChoiceField
            id="change-type"
            label={t('machines.type')}
            value={wish.type}
            set={(value) => {
              set({
                type: value as MachineType,
                parent: value === machine.type ? (machine.parent ?? '') : '',
              })
            }}
            options={MACHINE_TYPES.map((value) => ({ value, name: t(`machines.types.${value}`) }))}
            about={t(`machines.typeMeanings.${wish.type}`)}
          />
          {PARENT_TYPE[wish.type] !== null && (
            <ChoiceField
              id="change-parent"
              label={t('machines.parent')}
              value={wish.parent}
              set={(parent) => {
                set({ parent })
              }}
              options={[
                { value: '', name: t('machines.chooseParent') },
                ...parents.map(({ name }) => ({ value: name, name })),
              ]}
            />
          )}
          <HardwareFields prefix="change-" wish={wish} set={set} />
          {machine.power !== 'off' && (
            <Alert isInline isPlain variant="info" title={t('machines.changeLater')} />
          )}
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button
          type="submit"
          form={`${id}-form`}
          isLoading={change.isPending}
          isDisabled={change.isPending || Object.keys(patch).length === 0}
        >
          {t('machines.save')}
        </Button>
        <Button variant="link" onClick={close}>
          {t('common.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

function patchOf(
  machine: Machine,
  wish: { type: MachineType; parent: string; memoryMib: string; vcpus: string; network: string },
): MachinePatch {
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
