import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from '../test/fleet/command.js'
import { type Fleet, startFleet } from '../test/fleet/fleet.js'
import { guestImage } from '../test/fleet/guest-image.js'
import { BrokerProcess, ROOT } from '../test/support/broker-process.js'
import type { BootedThinClient } from '../test/systemd/boot.js'
import { BerthCommand } from './berth-command.js'
import { type DeskPlace, handOut, MACHINES, showBareClient, showDesktops } from './desks.js'
import { addHypervisor, makeMachines, makePool, PERSON, PERSON_PASSWORD, POOL } from './machines.js'
import { takeScreenshots } from './screenshots.js'
import type { Steps } from './steps.js'

/** What the broker, the hypervisors and the thin clients wrote in their logs; it stays when the demo is gone. */
const LOGS = join(ROOT, 'demo-out/logs')

/** Everything the demo brings up; `stop` takes it down again, however far it came. */
export class Demo {
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-demo-'))
  readonly #pictures = join(ROOT, 'demo-out')
  #fleet: Fleet | undefined
  #broker: BrokerProcess | undefined
  #booted: BootedThinClient | undefined
  readonly #berth: BerthCommand

  constructor(
    readonly steps: Steps,
    readonly options: { boot: boolean },
  ) {
    this.#berth = new BerthCommand(steps, join(this.#directory, 'config'))
  }

  async run(): Promise<void> {
    const { steps } = this
    mkdirSync(this.#pictures, { recursive: true })
    rmSync(LOGS, { recursive: true, force: true })
    process.env['BERTH_LOGS'] = LOGS
    const image = await steps.step('Building the guest image (quick when it is there)', guestImage)
    const fleet = await steps.step(
      'Starting two hypervisors, each with its own sshd and libvirtd',
      async () => await startFleet({ hosts: 2, name: 'demo' }),
    )
    this.#fleet = fleet
    const broker = await steps.step(
      'Starting the broker',
      async () =>
        await BrokerProcess.start({
          directory: join(this.#directory, 'broker'),
          address: fleet.gateway,
          thinClientNetworks: [fleet.subnet],
        }),
    )
    this.#broker = broker
    await this.#fill(fleet, broker, image)
  }

  async #fill(fleet: Fleet, broker: BrokerProcess, image: string): Promise<void> {
    const place: DeskPlace = {
      steps: this.steps,
      broker: `${fleet.gateway}:${broker.port}`,
      ca: await caFingerprint(broker),
      pictures: this.#pictures,
      logs: LOGS,
    }
    const berth = this.#berth
    await berth.step('Logging in as the administrator', [
      'login',
      '--broker',
      place.broker,
      '--user',
      'admin',
      '--password-file',
      broker.passwordFile,
      '--ca',
      place.ca,
    ])
    const { boot } = this.options
    for (const host of fleet.hosts) await addHypervisor(berth, host)
    await makeMachines(berth, fleet, image, MACHINES.length + (boot ? 1 : 0))
    await handOut(berth, fleet, join(this.#directory, 'clients.xml'), boot)
    await showDesktops(place, fleet)
    await makePool(berth, broker.options.directory)
    if (boot)
      await showBareClient(place, (client) => {
        this.#booted = client
      })
  }

  async sayHowToLogIn(): Promise<void> {
    const { steps } = this
    const broker = this.#broker
    if (!broker) return
    steps.say('')
    steps.say(`Berth is up: open ${broker.url} in a browser; the pictures are in demo-out/ .`)
    steps.say(`  ann, who may use the pool "${POOL}":  password ${PERSON_PASSWORD}`)
    steps.say(`  admin, the administrator:  the password is in ${broker.passwordFile}`)
    steps.say(
      "The browser warns of the certificate, since it does not know the broker's own CA yet.",
    )
    steps.say('Or log in from another terminal:')
    steps.say(
      `  dist/cli/main.js login --broker ${broker.url.replace('https://', '')} --user admin ` +
        `--password-file ${broker.passwordFile} --ca ${await caFingerprint(broker)}`,
    )
    steps.say('  dist/cli/main.js machine list')
    steps.say('Ctrl-C takes everything down.')
  }

  /** A picture of every page of what the demo has made. */
  async takeScreenshots(folder: string): Promise<void> {
    const broker = this.#broker
    if (!broker) return
    const person = { url: broker.url, name: PERSON, password: PERSON_PASSWORD }
    await this.steps.step(
      'Getting a desktop as ann',
      async () => await this.#berth.run(['assign', POOL, PERSON]),
    )
    await this.steps.step(
      'Checking hv1',
      async () => await this.#berth.run(['hypervisor', 'check', 'hv1']),
    )
    await this.steps.step(`Taking pictures of the pages into ${folder}`, async () => {
      await takeScreenshots(
        folder,
        {
          url: broker.url,
          name: 'admin',
          password: readFileSync(broker.passwordFile, 'utf8').trim(),
        },
        person,
        `${POOL}-1`,
      )
    })
  }

  async stop(): Promise<void> {
    await this.#booted?.stop()
    await this.#broker?.stop().catch(() => {})
    await this.#fleet?.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

async function caFingerprint(broker: BrokerProcess): Promise<string> {
  const line = await mustRun([
    'openssl',
    'x509',
    '-noout',
    '-fingerprint',
    '-sha256',
    '-in',
    join(broker.options.directory, 'data', 'ca.pem'),
  ])
  return `sha256:${(line.split('=')[1] ?? '').trim().replaceAll(':', '').toLowerCase()}`
}
