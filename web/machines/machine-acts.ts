import type { Machine, MachinesAndJob, PowerAction } from '../../broker/api/machines.js'
import { api, path } from '../api/client.js'

/** What an administrator can do to one machine or to many. */
export type MachineAct =
  | { readonly kind: 'power'; readonly action: PowerAction }
  | { readonly kind: 'maintenance'; readonly on: boolean; readonly reason: string }
  | { readonly kind: 'discard'; readonly on: boolean; readonly onReboot: boolean }
  | { readonly kind: 'delete'; readonly force: boolean }

/** The words of an act in the catalogue, under machines.acts. */
export type ActWord =
  PowerAction | 'maintenanceOn' | 'maintenanceOff' | 'discardOn' | 'discardOff' | 'delete'
export function wordOf(act: MachineAct): ActWord {
  switch (act.kind) {
    case 'power':
      return act.action
    case 'maintenance':
      return act.on ? 'maintenanceOn' : 'maintenanceOff'
    case 'discard':
      return act.on ? 'discardOn' : 'discardOff'
    case 'delete':
      return 'delete'
  }
}

/** In the order of the menus. */
export const ALL_ACTS: readonly MachineAct[] = [
  ...(['start', 'shutdown', 'reboot', 'reset', 'poweroff'] as const).map((action) => ({
    kind: 'power' as const,
    action,
  })),
  { kind: 'maintenance', on: true, reason: '' },
  { kind: 'maintenance', on: false, reason: '' },
  { kind: 'discard', on: true, onReboot: false },
  { kind: 'discard', on: false, onReboot: false },
  { kind: 'delete', force: false },
]

/** Acts that interrupt somebody, or that nobody can take back. */
export function isDanger(act: MachineAct): boolean {
  return act.kind === 'delete' || (act.kind === 'power' && act.action !== 'start')
}

/** Done without a question: nobody loses anything. */
export function needsNoQuestion(act: MachineAct): boolean {
  return (act.kind === 'power' && act.action === 'start') || (act.kind === 'maintenance' && !act.on)
}

/** Asks the broker; gives the job that carries it out, or null when it is done already. */
export async function doTo(name: string, act: MachineAct): Promise<string | null> {
  switch (act.kind) {
    case 'power':
      return (
        await api<{ job: string }>('POST', path`/machines/${name}/power`, {
          body: { action: act.action },
        })
      ).job
    case 'maintenance':
      await api('PUT', path`/machines/${name}/maintenance`, {
        body: { on: act.on, ...(act.reason === '' ? {} : { reason: act.reason }) },
      })
      return null
    case 'discard':
      return (
        await api<MachinesAndJob>('PUT', path`/machines/${name}/discard-changes`, {
          body: { on: act.on, ...(act.on ? { onReboot: act.onReboot } : {}) },
        })
      ).job
    case 'delete':
      return (
        await api<{ job: string }>(
          'DELETE',
          `${path`/machines/${name}`}${act.force ? '?force=true' : ''}`,
        )
      ).job
  }
}

const ON = ['running', 'paused', 'suspended', 'shutting-down']

/**
 * Why an act makes no sense for this machine now: a key of the catalogue, or null. The broker
 * decides; this only saves a click.
 */
export function whyNot(
  act: MachineAct,
  machine: Machine,
):
  | 'isOn'
  | 'isOff'
  | 'inMaintenance'
  | 'notInMaintenance'
  | 'onlyVdi'
  | 'discardsAlready'
  | 'discardsNothing'
  | null {
  if (act.kind === 'power') return whyNoPower(act.action === 'start', machine.power)
  if (act.kind === 'maintenance')
    return act.on === machine.maintenance ? (act.on ? 'inMaintenance' : 'notInMaintenance') : null
  if (act.kind !== 'discard') return null
  if (machine.type !== 'vdi') return 'onlyVdi'
  return act.on === machine.discardChanges ? (act.on ? 'discardsAlready' : 'discardsNothing') : null
}

function whyNoPower(isStart: boolean, power: Machine['power']): 'isOn' | 'isOff' | null {
  if (isStart) return power === 'running' ? 'isOn' : null
  return ON.includes(power) || power === 'unknown' ? null : 'isOff'
}
