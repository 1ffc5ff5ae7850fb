import type { Command } from 'commander'
import { setTimeout as delay } from 'node:timers/promises'
import { Hypervisor, HypervisorAdded, ScanResult } from '../../broker/api/hypervisors.js'
import { apiPath } from '../broker-client.js'
import { CliError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { confirm } from '../prompts.js'
import { parseDurationMs, parseInteger } from '../quantities.js'
import { parseDestination, runOverSsh } from '../ssh-install.js'
import { type HypervisorSettings, settingsBody, withSettings } from './hypervisor-settings.js'
import { showHypervisor } from './hypervisor-table.js'

const ASK_AGAIN_MS = 1000
const DEFAULT_WAIT_MS = 300_000

interface AddOptions extends HypervisorSettings {
  readonly address: string
  readonly port: number
  readonly fingerprint?: string
  readonly install?: string
  readonly wait?: boolean
  readonly waitTimeout: number
}

export function defineHypervisorAdd(hypervisor: Command, invocation: Invocation): void {
  defineAdd(hypervisor, invocation)
  defineInstall(hypervisor, invocation)
}

function defineAdd(hypervisor: Command, invocation: Invocation): void {
  withWait(
    withSettings(
      hypervisor
        .command('add')
        .argument('<NAME>', 'what it shall be called')
        .requiredOption('--address <HOST>', 'where the broker reaches its sshd')
        .option('--port <PORT>', 'port of its sshd', parseInteger(1, 65535), 22)
        .option(
          '--fingerprint <SHA256:…>',
          'its SSH host key, as ssh-keygen -l prints it: it must be this one, and nothing is asked',
        )
        .option(
          '--install <USER@HOST>',
          'also prepare the host, by the ssh of this computer: USER must be root',
        ),
    ),
  )
    .summary('make a host known')
    .description(
      'Shows the SSH host key of a host, asks, pins it, and makes the host known. Then one ' +
        'line is printed that prepares the host when pasted there as root; --install does it ' +
        'at once.\nHorizon: add a vCenter server. Proxmox VE: join a node.',
    )
    .action(async (name: string, options: AddOptions) => {
      await add(invocation, name, options)
    })
}

function defineInstall(hypervisor: Command, invocation: Invocation): void {
  withWait(
    hypervisor
      .command('install')
      .argument('<HYPERVISOR>')
      .argument('<DESTINATION>', 'USER@HOST for the ssh of this computer; USER must be root')
      .option(
        '--port <PORT>',
        'port of its sshd; without it, the one that the broker uses',
        parseInteger(1, 65535),
      ),
  )
    .summary('prepare a known host, or prepare it again')
    .description(
      "Runs the broker's installer on a host over the ssh of this computer. It may be " +
        'repeated, for example after an update of the broker. Only the pinned host key is ' +
        'accepted.',
    )
    .action(
      async (
        name: string,
        destination: string,
        options: { port?: number; wait?: boolean; waitTimeout: number },
      ) => {
        const known = await invocation.client.get(apiPath`/hypervisors/${name}`, Hypervisor)
        await install(invocation, destination, options.port ?? known.port, known.hostKeyFingerprint)
        showHypervisor(
          invocation,
          options.wait === true ? await waitUntilUp(invocation, name, options.waitTimeout) : known,
        )
      },
    )
}

function withWait(command: Command): Command {
  return command
    .option('--wait', 'wait until it is up, telling why it is not yet')
    .option(
      '--wait-timeout <DURATION>',
      'how long at most (ISO 8601)',
      parseDurationMs,
      DEFAULT_WAIT_MS,
    )
}

async function add(invocation: Invocation, name: string, options: AddOptions): Promise<void> {
  const { address, port } = options
  const destination = options.install
  if (destination !== undefined) parseDestination(destination)
  const fingerprint = await confirmedKey(
    invocation,
    await invocation.client.send('POST', '/hypervisors/scan', { address, port }, ScanResult),
    options.fingerprint,
  )
  const added = await invocation.client.send(
    'POST',
    '/hypervisors',
    { name, address, port, fingerprint, ...settingsBody(options) },
    HypervisorAdded,
  )
  if (destination !== undefined) {
    await install(invocation, destination, port, fingerprint)
  } else {
    invocation.say(`${name} is known. Now paste this line on it as root:`)
    if (options.wait === true || invocation.output.format !== 'table')
      invocation.say(added.installLine)
  }
  if (options.wait === true)
    showHypervisor(invocation, await waitUntilUp(invocation, name, options.waitTimeout))
  else
    invocation.output.show(added, () =>
      destination === undefined ? plainLine(added.installLine) : `${name} is prepared.`,
    )
}

async function confirmedKey(
  invocation: Invocation,
  scan: ScanResult,
  expected: string | undefined,
): Promise<string> {
  if (expected !== undefined) {
    if (scan.fingerprint === expected) return expected
    throw new CliError(
      'refused',
      `${scan.address} port ${scan.port} shows the host key ${scan.fingerprint}, not ${expected}; nothing was added.`,
    )
  }
  invocation.say(
    `${scan.address} port ${scan.port} shows the host key ${scan.fingerprint} (${scan.keyType}).`,
  )
  invocation.say(
    'On the host itself this prints it: for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$key"; done',
  )
  if (await confirm('Is it the same?', `compare and give --fingerprint ${scan.fingerprint}`))
    return scan.fingerprint
  throw new CliError('refused', 'Not confirmed; nothing was added.')
}

async function install(
  invocation: Invocation,
  destination: string,
  port: number,
  fingerprint: string,
): Promise<void> {
  const parsed = parseDestination(destination)
  const script = await invocation.client.file('/install/hypervisor.sh')
  invocation.say(`Installing on ${destination} …`)
  await runOverSsh(parsed, port, fingerprint, script)
}

/**
 * Gives the hypervisor when it is up, or in maintenance (which is up, by wish). Throws CliError
 * refused with the last reason when the time is over.
 */
async function waitUntilUp(
  invocation: Invocation,
  name: string,
  timeoutMs: number,
): Promise<Hypervisor> {
  const end = performance.now() + timeoutMs
  let told = ''
  for (;;) {
    const hypervisor = await invocation.client.get(apiPath`/hypervisors/${name}`, Hypervisor)
    if (hypervisor.state === 'up' || hypervisor.state === 'maintenance') return hypervisor
    const now = `${hypervisor.state}: ${hypervisor.reason}`
    if (now !== told) invocation.say(`${name}: ${now}`)
    told = now
    if (performance.now() > end)
      throw new CliError(
        'refused',
        `${name} did not come up within ${timeoutMs / 1000} ` +
          `s: ${hypervisor.reason === '' ? hypervisor.state : hypervisor.reason}`,
      )
    await delay(ASK_AGAIN_MS)
  }
}
