import {
  copyFileSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hypervisor } from '../broker/api/hypervisors.js'
import { mustRun } from '../test/fleet/command.js'
import type { Desk } from '../test/fleet/desk.js'
import { type Fleet, startFleet } from '../test/fleet/fleet.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import { guestImage, readGuestScreen, writeIntoImage } from '../test/fleet/guest-image.js'
import { startScreen } from '../test/fleet/screen.js'
import { BrokerProcess, ROOT } from '../test/support/broker-process.js'
import { until } from '../test/support/until.js'
import { type BootedThinClient, bootImage, bootThinClient } from '../test/systemd/boot.js'
import { takeScreenshots } from './screenshots.js'
import type { Steps } from './steps.js'

const MACHINES = ['pc-1', 'pc-2', 'pc-3', 'pc-4']
/** Whose desktop the bare machine of --boot shows, and that machine's MAC. */
const BOOT = { machine: 'pc-5', mac: '52:54:00:be:27:05' }
/** For whom a page is made to be looked at; the password is told, since all of it is gone with the demo. */
const [POOL, PERSON, PERSON_PASSWORD] = ['class', 'ann', 'a desk by the window']
const GENERATION = 'g1'
/** What the broker, the hypervisors and the thin clients wrote in their logs; it stays when the demo is gone. */
const LOGS = join(ROOT, 'demo-out/logs')
const IMPORT_FILE = '/var/lib/berth/import/guest.qcow2'
const PICTURE_WITHIN_MS = 120_000
/** A whole Debian under software emulation takes its time. */
const BOOT_WITHIN_MS = 400_000

/** Everything the demo brings up; `stop` takes it down again, however far it came. */
export class Demo {
  readonly #directory = mkdtempSync(join(tmpdir(), 'berth-demo-'))
  readonly #pictures = join(ROOT, 'demo-out')
  #fleet: Fleet | undefined
  #broker: BrokerProcess | undefined
  #booted: BootedThinClient | undefined

  constructor(
    readonly steps: Steps,
    readonly options: { boot: boolean },
  ) {}

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
    await this.#berth('Logging in as the administrator', [
      'login',
      '--broker',
      `${fleet.gateway}:${broker.port}`,
      '--user',
      'admin',
      '--password-file',
      broker.passwordFile,
      '--ca',
      await caFingerprint(broker),
    ])
    for (const host of fleet.hosts) await this.#addHypervisor(host)
    await this.#makeMachines(fleet, image)
    await this.#handOut(fleet)
    await this.#showDesktops(fleet, broker)
    await this.#makePool(broker)
    if (this.options.boot) await this.#boot(fleet, broker)
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
      async () => await this.#cli(['assign', POOL, PERSON]),
    )
    await this.steps.step(
      'Checking hv1',
      async () => await this.#cli(['hypervisor', 'check', 'hv1']),
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

  async #addHypervisor(host: FleetHost): Promise<void> {
    const { steps } = this
    const fingerprint = await host.hostKeyFingerprint()
    const added = await this.#berth(
      `Adding ${host.name} (${host.address}), host key ${fingerprint}`,
      [
        'hypervisor',
        'add',
        host.name,
        '--address',
        host.address,
        '--fingerprint',
        fingerprint,
        '-o',
        'json',
      ],
    )
    const { installLine } = JSON.parse(added) as { installLine: string }
    await steps.step(`Pasting the install line as root on ${host.name}`, async () => {
      await host.mustRun(['bash', '-c', installLine])
      await host.restart('libvirtd') // there is no systemd on the host that would do it
    })
    await steps.step(`Waiting until ${host.name} is up`, async () => {
      await until(
        async () => {
          const shown = await this.#cli(['hypervisor', 'show', host.name, '-o', 'json'])
          const { state, reason, virtType } = JSON.parse(shown) as Hypervisor
          if (state !== 'up') throw new Error(`it is ${state}: ${reason}`)
          return virtType !== null
        },
        { withinMs: 60_000, everyMs: 300, what: `${host.name} is up and probed` },
      )
    })
  }

  async #makeMachines(fleet: Fleet, image: string): Promise<void> {
    const { steps } = this
    const [home] = fleet.hosts
    if (!home) throw new Error('the fleet has no host')
    await this.#berth('Creating the source machine "golden"', [
      'machine',
      'create',
      'golden',
      '--type',
      'source',
      '--hypervisor',
      home.name,
      '--disk',
      '1GiB',
      '--memory',
      '256MiB',
      '--network',
      'none',
    ])
    await steps.step(
      `Installing its system: the guest's image, with ${GENERATION} written into a file on it`,
      async () => {
        copyFileSync(image, home.path(IMPORT_FILE))
        await writeIntoImage(home.path(IMPORT_FILE), '/etc/berth-generation', `${GENERATION}\n`)
      },
    )
    await this.#berth('Importing that disk', ['image', 'import', 'golden', IMPORT_FILE])
    await this.#berth('Creating the initial machine "base"', [
      'machine',
      'create',
      'base',
      '--type',
      'initial',
      '--parent',
      'golden',
      '--hypervisor',
      home.name,
      '--memory',
      '256MiB',
      '--network',
      'none',
    ])
    await this.#berth('Creating the vdi machines over both hypervisors', [
      'machine',
      'create',
      'pc-{n}',
      '--count',
      String(MACHINES.length + (this.options.boot ? 1 : 0)),
      '--type',
      'vdi',
      '--parent',
      'base',
      ...fleet.hosts.flatMap((host) => ['--hypervisor', host.name]),
      '--memory',
      '256MiB',
      '--network',
      'none',
      '--vcpus',
      '1',
      '--discard-changes',
    ])
    await this.#berth('Copying the disk from the source', ['image', 'copy', 'base'])
    await this.#berth('Populating the machines', ['populate', 'base'])
  }

  /** Desktops that people get by themselves, on a page. */
  async #makePool(broker: BrokerProcess): Promise<void> {
    const file = join(broker.options.directory, 'ann-password')
    writeFileSync(file, `${PERSON_PASSWORD}\n`, { mode: 0o600 })
    await this.#berth(`Creating the pool "${POOL}" of two desktops`, [
      'pool',
      'create',
      POOL,
      '--from',
      'base',
      '--size',
      '2',
      '--memory',
      '256MiB',
      '--vcpus',
      '1',
      '--network',
      'none',
    ])
    await this.#berth(`Creating the account "${PERSON}", who may use it`, [
      'user',
      'create',
      PERSON,
      '--display-name',
      'Ann',
      '--password-file',
      file,
    ])
    await this.#cli([
      'grant',
      'add',
      `pool:${POOL}`,
      'start',
      'stop',
      'reset',
      'accessConsole',
      'release',
      'extend',
      '--user',
      PERSON,
    ])
  }

  async #handOut(fleet: Fleet): Promise<void> {
    const file = join(this.#directory, 'clients.xml')
    const client = (machine: string, index: number): string =>
      `  <client ip="${deskAddress(fleet, index)}">\n    <protocol>SPICE</protocol>\n    ` +
      `<machine-name>${machine}</machine-name>\n  </client>\n`
    const bare =
      `  <client mac="${BOOT.mac}">\n    <protocol>SPICE</protocol>\n    ` +
      `<machine-name>${BOOT.machine}</machine-name>\n  </client>\n`
    writeFileSync(
      file,
      `<thin-clients>\n${MACHINES.map(client).join('')}${this.options.boot ? bare : ''}</thin-clients>\n`,
    )
    await this.#berth('Loading clients.xml', ['clients-xml', 'load', file])
  }

  async #showDesktops(fleet: Fleet, broker: BrokerProcess): Promise<void> {
    const { steps } = this
    const ca = await caFingerprint(broker)
    const desks = await steps.step(
      'Switching on four thin clients',
      async () => await Promise.all(MACHINES.map(async () => await fleet.addDesk())),
    )
    await Promise.all(
      desks.map(async (desk, index) => {
        await this.#showDesktop(desk, MACHINES[index] ?? '', `${fleet.gateway}:${broker.port}`, ca)
      }),
    )
  }

  async #showDesktop(desk: Desk, machine: string, broker: string, ca: string): Promise<void> {
    const startMs = performance.now()
    const screen = await startScreen(desk)
    const agent = desk.spawnInside(
      [
        process.execPath,
        join(ROOT, 'dist/thin-client/berth-thin-client.mjs'),
        '--broker',
        broker,
        '--ca',
        ca,
        '--state-dir',
        join(desk.stateDir, 'agent'),
        '--display',
        'existing',
      ],
      { env: { DISPLAY: screen.display } },
    )
    const log = createWriteStream(join(LOGS, `${desk.name}-agent.log`))
    agent.stdout.pipe(log)
    agent.stderr.pipe(log)
    const picture = join(this.#pictures, `${desk.name}.png`)
    const seen = await until(
      async () => {
        await screen.screenshot(picture)
        return await readGuestScreen(picture)
      },
      {
        withinMs: PICTURE_WITHIN_MS,
        everyMs: 3000,
        what: `${desk.name} shows the desktop of ${machine}`,
      },
    )
    const good = seen.name === machine && seen.generation === GENERATION
    this.steps.say(
      `           ${desk.name} (${desk.address}) shows ${seen.name}, ` +
        `generation ${seen.generation}, ` +
        `after ${((performance.now() - startMs) / 1000).toFixed(1)} s: ${picture}`,
    )
    if (!good)
      this.steps.fault(desk.name, new Error(`it should show ${machine}, generation ${GENERATION}`))
  }

  /** A bare machine with Debian, systemd and our unit is switched on and not touched. */
  async #boot(fleet: Fleet, broker: BrokerProcess): Promise<void> {
    const { steps } = this
    const image = await steps.step(
      "Building the thin client's Debian (minutes at first, quick when it is there)",
      async () => await bootImage(),
    )
    const picture = join(this.#pictures, 'boot.png')
    await steps.step(
      `Switching on a bare thin client; it should show ${BOOT.machine}`,
      async () => {
        this.#booted = await bootThinClient({
          image,
          mac: BOOT.mac,
          broker: `${fleet.gateway}:${broker.port}`,
          ca: await caFingerprint(broker),
        })
        const booted = this.#booted
        const seen = await until(
          async () => {
            await booted.photograph(picture)
            return await readGuestScreen(picture)
          },
          {
            withinMs: BOOT_WITHIN_MS,
            everyMs: 3_000,
            what: `the bare thin client shows the desktop of ${BOOT.machine}`,
          },
        )
        if (seen.name !== BOOT.machine || seen.generation !== GENERATION)
          throw new Error(`it shows ${seen.name}, generation ${seen.generation}`)
      },
    )
    steps.say(`           the bare thin client shows ${BOOT.machine}: ${picture}`)
  }

  async #berth(what: string, args: readonly string[]): Promise<string> {
    return await this.steps.step(what, async () => await this.#cli(args))
  }

  async #cli(args: readonly string[]): Promise<string> {
    return await mustRun([process.execPath, join(ROOT, 'dist/cli/main.js'), ...args], {
      timeoutMs: 300_000,
      env: { ...process.env, XDG_CONFIG_HOME: this.#configHome() },
    })
  }

  #configHome(): string {
    return join(this.#directory, 'config')
  }
}

function deskAddress(fleet: Fleet, index: number): string {
  return fleet.gateway.replace(/\.0\.1$/, `.2.${index + 1}`)
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
