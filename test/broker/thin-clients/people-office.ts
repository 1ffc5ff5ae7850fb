import ipaddr from 'ipaddr.js'
import type { Verb } from '../../../broker/api/permissions.js'
import type { AskAnswer, ThinClient } from '../../../broker/api/thin-clients.js'
import type { SimulatedBroker, SimulatedBrokerOptions } from '../../support/simulated-broker.js'
import { allow } from '../../support/people.js'
import { until } from '../../support/until.js'
import { office as poolOffice, poolOf } from '../pools/office.js'
import { clientsXml, Desk, newMac, TRUSTED } from './desk.js'

export const PASSWORD = 'correct horse battery'

/**
 * A broker with one host, a pool `p` of so many desktops, and thin clients that ask for a login.
 * `targets`: what stands in clients.xml for all.
 */
export async function peopleOffice(
  options: SimulatedBrokerOptions & {
    readonly size?: number
    readonly policy?: object
    readonly targets?: string
  } = {},
): Promise<SimulatedBroker> {
  const broker = await poolOffice({
    ...options,
    hosts: 1,
    config: { thinClientNetworks: [ipaddr.parseCIDR(TRUSTED)], ...options.config },
  })
  await poolOf(broker, 'p', options.size ?? 2, options.policy)
  await clientsXml(broker, `<default>${options.targets ?? '<protocol>LOGIN</protocol>'}</default>`)
  return broker
}

/** An account with PASSWORD; with verbs on the pool `p` if some are given. */
export async function account(
  broker: SimulatedBroker,
  name: string,
  verbs: readonly Verb[] = ['start', 'accessConsole'],
): Promise<void> {
  await broker.admin.post('/users', { name, password: PASSWORD })
  if (verbs.length > 0) await allow(broker, name, verbs, 'p', 'pool')
}

/** A device that has asked once and has its key. */
export async function device(broker: SimulatedBroker, address?: string): Promise<Desk> {
  const desk = new Desk(broker, newMac(), address)
  await desk.ask()
  return desk
}

/** He logs in and is shown his desktop: its viewer is connected. Gives the machine's name. */
export async function sitDown(broker: SimulatedBroker, desk: Desk, name: string): Promise<string> {
  const login = await desk.person('login', { name, password: PASSWORD })
  if (login.status !== 200) throw new Error(`${login.status} ${login.body.message}`)
  const shown = await desk.askUntil('ready', 10_000)
  const machine = shown.console?.title ?? ''
  await look(broker, machine, desk.address)
  return machine
}

/** Whose viewer is connected from now on, as the broker sees it; null: nobody's. */
export async function look(
  broker: SimulatedBroker,
  machine: string,
  address: string | null,
): Promise<void> {
  broker.host().seat(machine, address === null ? [] : [address])
  await until(
    async () =>
      (
        await broker.rows(
          'SELECT 1 FROM console_seat JOIN machine ON machine.id = machine_id WHERE name = ? ' +
            'AND (connected_at IS NOT NULL) = ?',
          machine,
          address === null ? 0 : 1,
        )
      ).length === 1,
    { withinMs: 5_000, everyMs: 10, what: `the viewer of ${machine} is noted` },
  )
}

export async function listed(broker: SimulatedBroker, desk: Desk): Promise<ThinClient> {
  const { thinClients } = await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')
  const found = thinClients.find((one) => one.mac === desk.macs[0])
  if (!found) throw new Error('the device is not in the list')
  return found
}

export async function untilLogin(
  desk: Desk,
  sentence: RegExp,
  withinMs = 10_000,
): Promise<AskAnswer> {
  return await until(
    async () => {
      const answer = await desk.ask()
      if (answer.state !== 'login' || !sentence.test(answer.sentence))
        throw new Error(`${answer.state}: ${answer.sentence}`)
      return answer
    },
    { withinMs, everyMs: 50, what: `the desk asks for a login (${sentence.source})` },
  )
}
