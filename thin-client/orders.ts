import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { DeviceOrder, OrderOutcome } from '../broker/api/device-orders.js'
import type { BrokerLink } from './broker-link.js'
import { macsOf, readInterfaces } from './device.js'
import type { FindProgram } from './display.js'
import { type Log, printable } from './log.js'

export type Outcome = Pick<OrderOutcome, 'outcome' | 'sentence'>

export interface OrdersDeps {
  readonly link: BrokerLink
  readonly find: FindProgram
  readonly log: Log
  readonly showMessage: (text: string, seconds: number) => Promise<Outcome>
  readonly viewerRuns: () => boolean
}

const MOST_REMEMBERED = 50
const REBOOT_WITHIN_MS = 20_000
const LONGEST_SENTENCE = 200

/** Does what an administrator has ordered, once, and tells the broker what became of it, each time it asks. */
export class OrderTaker {
  private readonly outcomes = new Map<string, Promise<Outcome>>()

  constructor(private readonly deps: OrdersDeps) {}

  async obey(order: DeviceOrder): Promise<void> {
    const known = this.outcomes.get(order.id)
    const begun = known ?? this.carryOut(order)
    if (known === undefined) this.remember(order.id, begun)
    const { outcome, sentence } = await begun
    try {
      await this.deps.link.send(
        'done',
        {
          macs: macsOf(readInterfaces()),
          order: order.id,
          outcome,
          sentence: printable(sentence).slice(0, LONGEST_SENTENCE),
        },
        () => undefined,
      )
    } catch (error) {
      this.deps.log(
        'info',
        `The outcome of an order is not reported: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  private remember(id: string, outcome: Promise<Outcome>): void {
    this.outcomes.set(id, outcome)
    const [oldest] = this.outcomes.keys()
    if (this.outcomes.size > MOST_REMEMBERED && oldest !== undefined) this.outcomes.delete(oldest)
  }

  private async carryOut({ kind, text, seconds }: DeviceOrder): Promise<Outcome> {
    this.deps.log('info', `Order of an administrator: ${kind}.`)
    switch (kind) {
      case 'message':
        return await this.deps.showMessage(text, seconds)
      // The policy ends the viewer; here it is only said.
      case 'reconnect':
        return {
          outcome: 'done',
          sentence: this.deps.viewerRuns()
            ? 'The viewer was closed, and the device asks again.'
            : 'No viewer was open; the device asks again.',
        }
      case 'reboot':
        return await this.reboot()
    }
  }

  /**
   * By systemd, as the agent's own user: logind lets the session on the seat do it, by polkit
   * (systemd-logind.service(8), org.freedesktop.login1.reboot).
   */
  private async reboot(): Promise<Outcome> {
    const systemctl = this.deps.find('systemctl')
    if (this.deps.link.settings.remoteReboot === false)
      return refused('this device does not let itself be restarted (remote-reboot=no)')
    if (systemctl === undefined) return refused('the program systemctl is not there')
    try {
      await promisify(execFile)(systemctl, ['--no-ask-password', '--no-wall', 'reboot'], {
        timeout: REBOOT_WITHIN_MS,
      })
      return { outcome: 'done', sentence: 'The device restarts.' }
    } catch (error) {
      const said =
        error instanceof Error && 'stderr' in error
          ? (String(error.stderr).trim().split('\n').at(-1) ?? '')
          : ''
      return refused(`systemctl refused${said === '' ? '' : `: ${said.replace(/\.$/, '')}`}`)
    }
  }
}

function refused(why: string): Outcome {
  return { outcome: 'refused', sentence: `Not restarted: ${why}.` }
}
