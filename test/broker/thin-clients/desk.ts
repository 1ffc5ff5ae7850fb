import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:https'
import ipaddr from 'ipaddr.js'
import type { AskAnswer, ReportAnswer } from '../../../broker/api/thin-clients.js'
import { SimulatedBroker, type SimulatedBrokerOptions } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'

/** Devices of this network get a key at first contact; others do not. */
export const TRUSTED = '127.0.0.0/25'
export const STRANGE_ADDRESS = '127.0.0.200'

/** Many devices share the cost of TLS; each long poll still has a connection of its own. */
const CONNECTIONS = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 4_000 })

/** A device that asks as the agent does: it keeps its key and the mark of its last answer. */
export class Desk {
  key: string | null = null
  mark: string | undefined
  macs: readonly string[]
  hostname = 'desk'
  /** What an agent that has no key makes itself; null: it is an older one. */
  claim: string | null = null
  /** The orders that it knows; null: it is older than they are. */
  orders: readonly string[] | null = null

  constructor(
    readonly broker: Pick<SimulatedBroker, 'url' | 'ca'>,
    mac: string,
    readonly address = '127.0.0.1',
  ) {
    this.macs = [mac]
  }

  /** `waitMs`: a long poll for something newer than the last answer. */
  async ask(waitMs = 0): Promise<AskAnswer> {
    return this.#kept(
      await this.#post('ask', {
        macs: this.macs,
        hostname: this.hostname,
        version: '1',
        waitMs,
        ...this.#knows(),
        ...(waitMs > 0 && this.mark !== undefined ? { have: this.mark } : {}),
      }),
    )
  }

  #kept({ status, body }: { status: number; body: unknown }): AskAnswer {
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`)
    const answer = body as AskAnswer
    this.mark = answer.mark
    this.key = answer.deviceKey ?? this.key
    return answer
  }

  async report(showing: { protocol: string; title: string } | null): Promise<number> {
    return (await this.#post('report', { macs: this.macs, showing })).status
  }

  /** Reports that it shows this machine, and gives what is to be said over it. */
  async watch(
    machine: string,
    more: { have?: string; waitMs?: number } = {},
  ): Promise<ReportAnswer> {
    return await this.tell({ protocol: 'spice', title: machine }, more.waitMs, more.have)
  }

  async tell(
    showing: { protocol: string; title: string },
    waitMs = 0,
    have?: string,
  ): Promise<ReportAnswer> {
    return (
      await this.#post('report', {
        macs: this.macs,
        showing,
        waitMs,
        ...this.#knows(),
        ...(have === undefined ? {} : { have }),
      })
    ).body as ReportAnswer
  }

  #knows(): object {
    return this.orders === null ? {} : { orders: this.orders }
  }

  /** Says what became of an order. */
  async done(
    order: string,
    outcome: 'done' | 'refused' = 'done',
    sentence = 'Shown.',
  ): Promise<number> {
    return (await this.#post('done', { macs: this.macs, order, outcome, sentence })).status
  }

  /** The person has closed the viewer, or the device has been switched on. */
  async askAfterEnd(): Promise<AskAnswer> {
    return this.#kept(
      await this.#post('ask', {
        macs: this.macs,
        hostname: this.hostname,
        version: '1',
        ended: true,
      }),
    )
  }

  /** One of the questions of a person at this device. */
  async person<T = { code: string; message: string; name: string }>(
    path:
      | 'login'
      | 'login/provider'
      | 'login/provider/poll'
      | 'login/code'
      | 'login/code/poll'
      | 'choose'
      | 'logout',
    body: object = {},
  ): Promise<{ status: number; body: T }> {
    return (await this.#post(path, { macs: this.macs, ...body })) as { status: number; body: T }
  }

  /** Asks until it is told this; machines take a moment to start. */
  async askUntil(state: AskAnswer['state'], withinMs = 5_000): Promise<AskAnswer> {
    return await until(
      async () => {
        const answer = await this.ask()
        if (answer.state !== state) throw new Error(`${answer.state}: ${answer.sentence}`)
        return answer
      },
      { withinMs, everyMs: 20, what: `the desk is told "${state}"` },
    )
  }

  async #post(path: string, body: object): Promise<{ status: number; body: unknown }> {
    const text = JSON.stringify(body)
    return await new Promise((resolve, reject) => {
      const sent = request(
        `${this.broker.url}/api/v1/thin-clients/${path}`,
        {
          method: 'POST',
          ca: this.broker.ca,
          agent: CONNECTIONS,
          localAddress: this.address,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
            ...(this.key === null ? {} : { authorization: `Device ${this.key}` }),
            ...(this.key === null && this.claim !== null ? { 'device-claim': this.claim } : {}),
          },
        },
        (response) => {
          const parts: Buffer[] = []
          response.on('data', (part: Buffer) => parts.push(part))
          response.on('end', () => {
            const answer = Buffer.concat(parts).toString('utf8')
            resolve({
              status: response.statusCode ?? 0,
              body: answer === '' ? null : (JSON.parse(answer) as unknown),
            })
          })
        },
      )
      sent.on('error', reject)
      sent.end(text)
    })
  }
}

export function newMac(): string {
  return [
    '52',
    '54',
    '00',
    ...[...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, '0')),
  ].join(':')
}

/** A broker with the simple machines pc-1, pc-2, … (off) on hv1. */
export async function office(
  machines = 2,
  options: SimulatedBrokerOptions = {},
): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start({
    ...options,
    config: {
      thinClientNetworks: [ipaddr.parseCIDR(TRUSTED)],
      horizonServer: 'horizon.example.org',
      releaseAfterMs: 100,
      ...options.config,
    },
  })
  await broker.addHypervisors()
  await broker.admin.done('/machines', {
    name: 'pc-{n}',
    type: 'simple',
    count: machines,
    hypervisors: ['hv1'],
  })
  await until(
    async () => (await broker.rows("SELECT id FROM machine WHERE power != 'off'")).length === 0,
    {
      withinMs: 10_000,
      everyMs: 5,
      what: 'every machine is seen to be off',
    },
  )
  return broker
}

export async function clientsXml(broker: SimulatedBroker, inner: string): Promise<void> {
  await broker.admin.put('/clients-xml', { text: `<thin-clients>\n${inner}\n</thin-clients>` })
}

/** A client's entry with its targets in order: `spice:pc-1`, `rdp:host`, `horizon:pool`. */
export function entry(attributes: string, ...targets: readonly string[]): string {
  const one = (target: string): string => {
    const [kind, value] = target.split(':')
    if (kind === 'rdp')
      return `<protocol>RDP</protocol><machine-rdp-address>${value ?? ''}</machine-rdp-address>`
    if (kind === 'horizon') return `<protocol>vmView</protocol><pool>${value ?? ''}</pool>`
    return `<protocol>SPICE</protocol><machine-name>${value ?? ''}</machine-name>`
  }
  const [first = '', ...others] = targets.map(one)
  const further = others.map((other) => `<target>${other}</target>`)
  return `<client ${attributes}>${first}${further.join('')}</client>`
}
