import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ROOT } from '../support/broker-process.js'

const FOLDER = join(ROOT, 'systemd')
const SERVICES = readdirSync(FOLDER).filter((name) => name.endsWith('.service'))

/** What every service does without, whatever it is for. */
const EVERYWHERE: ReadonlyArray<readonly [key: string, value: RegExp]> = [
  ['CapabilityBoundingSet', /^$/],
  ['NoNewPrivileges', /^yes$/],
  ['ProtectSystem', /^strict$/],
  ['PrivateTmp', /^yes$/],
  ['PrivateIPC', /^yes$/],
  ['RemoveIPC', /^yes$/],
  ['ProtectKernelTunables', /^yes$/],
  ['ProtectKernelModules', /^yes$/],
  ['ProtectKernelLogs', /^yes$/],
  ['ProtectControlGroups', /^yes$/],
  ['ProtectProc', /^invisible$/],
  ['RestrictAddressFamilies', /^AF_UNIX AF_INET AF_INET6 AF_NETLINK$/],
  ['RestrictNamespaces', /^yes$/],
  ['RestrictRealtime', /^yes$/],
  ['RestrictSUIDSGID', /^yes$/],
  ['LockPersonality', /^yes$/],
  ['KeyringMode', /^private$/],
  ['SystemCallArchitectures', /^native$/],
  ['SystemCallFilter', /^@system-service$/],
  ['SystemCallFilter', /^~@privileged/],
  ['UMask', /^0077$/],
  ['User', /^berth-/],
  ['MemoryMax', /^\d+[MG%]$/],
  ['TasksMax', /^\d+$/],
  ['LimitNOFILE', /^\d+$/],
  ['LimitCORE', /^0$/],
  ['TimeoutStopSec', /^\d+$/],
]
/** A seat has a screen, sound and USB; a broker has none of it. */
const MORE: Readonly<Record<string, typeof EVERYWHERE>> = {
  'berth-broker.service': [
    ['AmbientCapabilities', /^$/],
    ['ProtectHome', /^yes$/],
    ['PrivateDevices', /^yes$/],
    ['DevicePolicy', /^closed$/],
    ['PrivateUsers', /^yes$/],
    ['PrivateMounts', /^yes$/],
    ['ProtectClock', /^yes$/],
    ['ProtectHostname', /^yes$/],
    ['ProcSubset', /^pid$/],
    ['NoExecPaths', /-\/var -\/tmp/],
  ],
  'berth-thin-client.service': [['InaccessiblePaths', /-\/home -\/root/]],
}

function settingsOf(unit: string): ReadonlyArray<readonly [key: string, value: string]> {
  return readFileSync(join(FOLDER, unit), 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line) => {
      const at = line.indexOf('=')
      return [line.slice(0, at), line.slice(at + 1)]
    })
}

/**
 * Where what an installation has at a path stands in this tree; null: nothing puts it there. The
 * broker's installation is the tree itself.
 */
function sourceOf(path: string): string | null {
  const installer = readFileSync(join(FOLDER, 'install-thin-client'), 'utf8')
  const placed = [...installer.matchAll(/^ *place "\$here\/(\S+)" (\S+) \d+$/gm)]
  const source = placed.find(([, , target]) => target === path)?.[1]
  if (source !== undefined) return join('systemd', source)
  return path.startsWith('/usr/lib/berth/') ? path.slice('/usr/lib/berth/'.length) : null
}

t.test('every service has its limits', (t) => {
  t.same(SERVICES.sort(), Object.keys(MORE).sort(), 'each has its row here')
  for (const unit of SERVICES) {
    const settings = settingsOf(unit)
    for (const [key, value] of [...EVERYWHERE, ...(MORE[unit] ?? [])])
      t.ok(
        settings.some((one) => one[0] === key && value.test(one[1])),
        `${unit}: ${key}=${value.source}`,
      )
  }
  t.end()
})

t.test('what a unit names as its documentation is installed', (t) => {
  for (const unit of SERVICES) {
    const named = settingsOf(unit).filter(([key]) => key === 'Documentation')
    t.ok(named.length > 0, unit)
    for (const [, value] of named) {
      const path = value.replace(/^file:\/\//, '')
      const source = sourceOf(path)
      t.ok(source !== null && existsSync(join(ROOT, source)), `${unit}: ${value}`)
    }
  }
  t.end()
})
