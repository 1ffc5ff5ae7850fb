import type { FIRMWARES, MachineCreate, MachineType } from '../../broker/api/machines.js'

/** Of which type the machine is from which one of this type is made; null: it is made from none. */
export const PARENT_TYPE: Readonly<Record<MachineType, MachineType | null>> = {
  simple: null,
  source: null,
  initial: 'source',
  vdi: 'initial',
}

/** The form as it is typed. */
export interface Wish {
  readonly type: MachineType
  readonly parent: string
  readonly name: string
  readonly count: string
  readonly first: string
  readonly diskGib: string
  readonly hypervisors: readonly string[]
  readonly discardChanges: boolean
  readonly discardOnReboot: boolean
  readonly memoryMib: string
  readonly vcpus: string
  readonly network: string
  readonly firmware: (typeof FIRMWARES)[number]
  readonly domainXml: string
}
export const FIRST_WISH: Wish = {
  type: 'vdi',
  parent: '',
  name: '',
  count: '1',
  first: '1',
  diskGib: '20',
  hypervisors: [],
  discardChanges: false,
  discardOnReboot: false,
  memoryMib: '2048',
  vcpus: '2',
  network: 'network:default',
  firmware: 'bios',
  domainXml: '',
}

/** What the broker is asked for; it says what is wrong with it. */
export function wishOf(wish: Wish): MachineCreate {
  const ownDisk = PARENT_TYPE[wish.type] === null
  return {
    name: wish.name,
    type: wish.type,
    hypervisors: [...wish.hypervisors],
    memoryMib: Number(wish.memoryMib),
    vcpus: Number(wish.vcpus),
    network: wish.network,
    firmware: wish.firmware,
    ...(Number(wish.count) !== 1 ? { count: Number(wish.count), first: Number(wish.first) } : {}),
    ...(ownDisk ? { diskGib: Number(wish.diskGib) } : { parent: wish.parent }),
    ...(wish.type === 'vdi' && wish.discardChanges
      ? { discardChanges: true, discardOnReboot: wish.discardOnReboot }
      : {}),
    ...(wish.domainXml === '' ? {} : { domainXml: wish.domainXml }),
  }
}
