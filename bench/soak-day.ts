import { Agent } from 'node:https'
import type { ClaimAnswer } from '../broker/api/assignments.js'
import type { MachineList } from '../broker/api/machines.js'
import type { ThinClient } from '../broker/api/thin-clients.js'
import { ApiClient, ApiFault } from '../test/support/api-client.js'
import { until } from '../test/support/until.js'
import { Crowd } from './crowd.js'
import { createMachines } from './fleet-with-broker.js'
import { addSimulatedHypervisors, type SimulatedBroker } from './simulated-place.js'
import { ThinClientStandIn } from './thin-client-stand-in.js'

/** One: simulated hosts carry no images to each other. */
const HOSTS = 1
const DESKTOPS = 12
const PEOPLE = 6
const DEVICES = 60
const PASSWORD = 'correct horse battery'
const POPULATE_EVERY = 5
const LOSE_EVERY = 4
const LOST_FOR_MS = 1_000

/** A site on simulated hypervisors, and what happens there in a few minutes of a day, again and again. */
export class SoakDay {
  readonly #crowd = new Crowd()
  readonly #agent: Agent
  readonly #people: string[] = []
  #devices = 0
  #hosts: string[] = []

  constructor(readonly broker: SimulatedBroker) {
    this.#agent = new Agent({
      keepAlive: true,
      ca: broker.ca,
      maxSockets: Number.POSITIVE_INFINITY,
    })
  }

  /** Connections of devices that were lost. */
  get lost(): number {
    return this.#crowd.lost
  }

  async open(): Promise<void> {
    const { api } = this.broker
    this.#hosts = await addSimulatedHypervisors(api, HOSTS)
    await createMachines(api, {
      name: 'soak-source',
      type: 'source',
      hypervisors: this.#hosts.slice(0, 1),
    })
    const { job } = await api.post<{ job: string | null }>('/pools', {
      name: 'day',
      from: 'soak-source',
      size: DESKTOPS,
      policy: { onRelease: 'stop' },
    })
    if (job !== null) await api.succeeded(job)
    for (let number = 0; number < PEOPLE; number += 1) {
      const name = `person-${number}`
      await api.post('/users', { name, password: PASSWORD })
      await api.put('/grants', {
        kind: 'pool',
        object: 'day',
        subjectKind: 'user',
        subject: name,
        verbs: ['start', 'accessConsole'],
      })
      this.#people.push(name)
    }
    await this.#changeClientsXml(0)
    for (let number = 0; number < DEVICES; number += 1) {
      const device = this.#device()
      await device.ask(0)
      void this.#crowd.live(device)
    }
  }

  close(): void {
    this.#crowd.stop()
    this.#agent.destroy()
  }

  /** A few minutes of the day. */
  async pass(round: number): Promise<void> {
    await Promise.all([
      this.#work(this.#people[round % PEOPLE] ?? '', round),
      this.#work(this.#people[(round + 1) % PEOPLE] ?? '', round),
      this.#comeAndGo(),
      this.#changeClientsXml(round),
      round % POPULATE_EVERY === 0 ? this.#populate() : undefined,
    ])
    if (round % LOSE_EVERY === 0) await this.#loseHost(round)
  }

  /** Somebody logs in, gets a desktop, opens its screen, leaves, and gives it back. */
  async #work(name: string, round: number): Promise<void> {
    const { url, ca, seat } = this.broker
    const { token } = await new ApiClient(url, ca).post<{ token: string }>('/login', {
      name,
      password: PASSWORD,
    })
    const person = new ApiClient(url, ca, token)
    try {
      const { desktop } = await person.post<ClaimAnswer>('/pools/day/claim', {
        wait: true,
        waitMs: 20_000,
      })
      if (desktop?.phase !== 'ready') return
      await person.post(`/machines/${desktop.machine}/console`)
      const { hypervisor: host } = await this.broker.api.get<{ hypervisor: string }>(
        `/machines/${desktop.machine}`,
      )
      await seat(host, desktop.machine, [`10.0.${round % 250}.7`])
      await seat(host, desktop.machine, [])
      await person.post(`/machines/${desktop.machine}/release`, { force: true })
    } catch (error) {
      // A host may be away just then, or a desktop be renewed, as in life.
      if (!(error instanceof ApiFault) || error.code === 'internal') throw error
    } finally {
      await logOut(person)
    }
  }

  /** A device that was never there comes, and is removed by an administrator. */
  async #comeAndGo(): Promise<void> {
    const device = this.#device()
    await device.ask(0)
    const { thinClients } = await this.broker.api.get<{ thinClients: ThinClient[] }>(
      '/thin-clients',
    )
    const id = thinClients.find(({ mac }) => mac === device.mac)?.id
    if (id === undefined) throw new Error('a device that has asked is not in the list')
    await this.broker.api.delete(`/thin-clients/${id}`)
  }

  async #changeClientsXml(round: number): Promise<void> {
    await this.broker.api.put('/clients-xml', {
      text:
        '<thin-clients><default><protocol>LOGIN</protocol><viewer ' +
        `audio="${round % 2 === 0 ? 'yes' : 'no'}"/></default></thin-clients>`,
    })
  }

  async #populate(): Promise<void> {
    const { api } = this.broker
    const [initial] = (await api.get<MachineList>('/machines?type=initial')).machines
    if (!initial) throw new Error('the pool has no initial machine')
    for (const [what, body] of [
      ['copy', { source: 'soak-source' }],
      ['populate', {}],
    ] as const) {
      const { job } = await api.post<{ job: string }>(`/machines/${initial.name}/${what}`, body)
      await api.ended(job)
    }
  }

  async #loseHost(round: number): Promise<void> {
    const host = this.#hosts[round % HOSTS] ?? ''
    await this.broker.setLine(host, false)
    await new Promise((resolve) => setTimeout(resolve, LOST_FOR_MS))
    await this.broker.setLine(host, true)
    await until(
      async () =>
        (await this.broker.api.get<{ state: string }>(`/hypervisors/${host}`)).state === 'up',
      { withinMs: 30_000, what: `${host} is back` },
    )
  }

  #device(): ThinClientStandIn {
    const number = this.#devices
    this.#devices += 1
    const { url } = this.broker
    return new ThinClientStandIn({ url, agent: this.#agent, number, localAddress: '127.0.9.1' })
  }
}

async function logOut(person: ApiClient): Promise<void> {
  const { tokens } = await person.get<{ tokens: Array<{ name: string }> }>('/tokens')
  // The last one is that by which it is asked.
  for (const { name } of tokens)
    await person.delete(`/tokens/${name}`).catch((error: unknown) => {
      if (!(error instanceof ApiFault)) throw error
    })
}
