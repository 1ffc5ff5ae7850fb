import { randomBytes } from 'node:crypto'
import type {
  AskAnswer,
  AskRequest,
  ReportAnswer,
  ReportRequest,
} from '../broker/api/thin-clients.js'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.js'
import { type BrokerClient, BrokerTrouble, brokerClient, type Shown } from './broker-client.js'
import { DEFAULT_STATE_DIRECTORY, type RunCommand } from './command-line.js'
import type { Log } from './log.js'
import type { ScreenFacts } from './screen.js'
import type { Settings } from './settings.js'
import { type SystemFiles, brokersOfDns, loadSettings } from './setup.js'
import { readState, removeState, writeState } from './state-directory.js'
import { type TrustedCa, trustIn } from './trust.js'

interface Line {
  readonly name: string
  readonly client: BrokerClient
  readonly trust: TrustedCa
}

/**
 * The broker in use: found again for each question, connected only when it or its CA has changed;
 * holds the key of the device.
 */
export class BrokerLink {
  settings: Settings = {}
  private line: Line | undefined
  private lineKey = ''
  private deviceKey: string | undefined
  private claim: string | undefined
  private failures = 0
  private brokersByDns: BrokerAddress[] = []

  constructor(
    private readonly command: RunCommand,
    private readonly files: SystemFiles,
    private readonly log: Log,
    private readonly random: () => number,
  ) {}

  get stateDirectory(): string {
    return this.settings.stateDirectory ?? DEFAULT_STATE_DIRECTORY
  }

  /** Throws SettingsFault or BrokerTrouble. */
  async ask(question: AskRequest): Promise<AskAnswer> {
    this.settings = loadSettings(this.command, this.files)
    try {
      const line = this.lineTo(await this.findBroker())
      this.deviceKey ??= this.readKey()
      const answer = await line.client.ask(question, this.shown())
      this.failures = 0
      return answer
    } catch (error) {
      this.failures++
      throw error
    }
  }

  /** Throws BrokerTrouble. Before the first question there is nobody to report to. */
  async report(report: ReportRequest): Promise<ReportAnswer> {
    return (await this.line?.client.report(report, this.shown())) ?? { notice: null, over: null }
  }

  /** Something of a person at this device. Throws BrokerTrouble. */
  async send<T>(path: string, body: object, check: (answer: unknown) => T): Promise<T> {
    if (this.line === undefined) throw new BrokerTrouble('The broker has not been found yet.', null)
    return await this.line.client.send(path, body, this.shown(), check)
  }

  keepKey(deviceKey: string): void {
    this.deviceKey = deviceKey
    try {
      writeState(this.stateDirectory, 'device-key', deviceKey)
      removeState(this.stateDirectory, 'claim')
    } catch (error) {
      this.log(
        'error',
        `The device key cannot be kept in ${this.stateDirectory}: ${reason(error)}. After a ` +
          'restart this device must be accepted again.',
      )
    }
  }

  describe(): Pick<ScreenFacts, 'broker' | 'trust'> {
    return { broker: this.line?.name ?? 'not found yet', trust: this.line?.trust.describe() ?? '' }
  }

  close(): void {
    this.line?.client.close()
  }

  private shown(): Shown {
    if (this.deviceKey !== undefined) return { deviceKey: this.deviceKey }
    this.claim ??= this.readOrMakeClaim()
    return { claim: this.claim }
  }

  /**
   * It is kept until there is a key: a device that is switched off meanwhile is still the one that
   * asked, with the same code on its screen.
   */
  private readOrMakeClaim(): string {
    try {
      const kept = readState(this.stateDirectory, 'claim')
      if (kept !== undefined) return kept
      const made = randomBytes(32).toString('hex')
      writeState(this.stateDirectory, 'claim', made)
      return made
    } catch (error) {
      this.log('warning', `Nothing can be kept in ${this.stateDirectory}: ${reason(error)}.`)
      return randomBytes(32).toString('hex')
    }
  }

  private readKey(): string | undefined {
    try {
      return readState(this.stateDirectory, 'device-key')
    } catch (error) {
      throw new BrokerTrouble(
        `The device key in ${this.stateDirectory} cannot be read: ${reason(error)}.`,
        null,
        { cause: error },
      )
    }
  }

  private async findBroker(): Promise<BrokerAddress> {
    if (this.settings.broker !== undefined) return this.settings.broker
    // A failure may mean that the record has changed, and the next target gets its turn.
    if (this.brokersByDns.length === 0 || this.failures % this.brokersByDns.length === 0)
      this.brokersByDns = await brokersOfDns(this.files, this.random)
    const broker = this.brokersByDns[this.failures % Math.max(1, this.brokersByDns.length)]
    if (broker === undefined)
      throw new BrokerTrouble(
        'No broker is set, and DNS knows no _berth._tcp in the search domains; set "broker=" ' +
          `in ${this.command.configurationPath}.`,
        null,
      )
    return broker
  }

  private lineTo(broker: BrokerAddress): Line {
    const name = formatBrokerAddress(broker)
    const key = `${name} ${this.settings.ca ?? ''} ${this.stateDirectory}`
    if (this.line === undefined || this.lineKey !== key) {
      this.line?.client.close()
      const trust = trustIn(this.stateDirectory, this.settings.ca, this.log)
      this.line = { name, trust, client: brokerClient(broker, trust) }
      this.lineKey = key
    }
    return this.line
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
