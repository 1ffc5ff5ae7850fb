import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { LineCounter, parseDocument, isMap, isScalar } from 'yaml'
import { type Network, networkOf, networksOf } from './addresses.js'
import {
  DirectorySettings,
  LOGIN_SETTINGS,
  loginFaults,
  ProviderSettings,
  ProxySettings,
} from './login-settings.js'
import { placeFault } from './store/place.js'
import { explainFaults } from './validation.js'
explainFaults()
import { Settings } from './settings.js'

export interface Config {
  readonly dataDir: string
  /** The URL of a PostgreSQL database; null: SQLite, in the data directory. */
  readonly store: string | null
  readonly storePasswordFile: string
  readonly listenAddress: string
  readonly listenPort: number
  readonly publicNames: readonly string[]
  /** Under which names pages of this broker may be opened; none: under any. */
  readonly siteNames: readonly string[]
  readonly tls: { readonly certificate: string; readonly key: string } | null
  readonly clientsXmlPath: string
  readonly thinClientNetworks: readonly Network[]
  readonly trustedProxies: readonly Network[]
  readonly connectionsPerAddress: number
  /** 0: there is no console proxy. */
  readonly consoleProxyPort: number
  readonly horizonServer: string
  readonly releaseAfterMs: number
  readonly shutdownTimeoutMs: number
  readonly observeEveryMs: number
  readonly observationAgeMs: number
  readonly observationGraceMs: number
  readonly displayTimeoutMs: number
  readonly libvirtProcesses: number
  readonly directories: readonly DirectorySettings[]
  readonly oidcProviders: readonly ProviderSettings[]
  readonly trustedProxy: ProxySettings | null
  readonly sessionIdleMs: number
  readonly jobsKeptMs: number
  readonly eventsKeptMs: number
  readonly sessionLengthMs: number
  readonly tokenLifetimeMs: number
  readonly thinClientLoginIdleMs: number
  readonly logLevel: Settings['log-level']
}

/** All faults of a configuration, one a line: `file:line: what is wrong`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly faults: readonly string[]) {
    super(faults.join('\n'))
  }
}

/** Reads the YAML file at `path` (null: defaults only). Throws ConfigError with every fault at once. */
export function loadConfig(path: string | null): Config {
  if (path === null) return toConfig(Value.Default(Settings, {}) as Settings)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError([
      `${path}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown reason'}).`,
    ])
  }
  return parseConfig(text, path)
}

/** As loadConfig, for a text; `path` is for the messages. */
export function parseConfig(text: string, path: string): Config {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineOf = (offset: number): number => lines.linePos(offset).line
  if (document.errors.length > 0)
    throw new ConfigError(document.errors.map((e) => `${path}:${lineOf(e.pos[0])}: ${e.message}.`))
  const keyLines = new Map<string, number>()
  if (isMap(document.contents)) {
    for (const { key } of document.contents.items)
      if (isScalar(key) && key.range) keyLines.set(String(key.value), lineOf(key.range[0]))
  }
  const given: unknown = document.toJS() ?? {}
  const at = (name: string): string => `${path}:${keyLines.get(name) ?? 1}`
  const lineOfError = ({ path: at }: { path: string }): number =>
    keyLines.get(at.split('/')[1] ?? '') ?? 1
  const errors = [...Value.Errors(Settings, Value.Default(Settings, Value.Clone(given)))].sort(
    (a, b) => lineOfError(a) - lineOfError(b),
  )
  const faults = errors.map((error) => {
    const name = error.path.split('/')[1] ?? ''
    const known = name === '' || name in Settings.properties
    const inside = name in LOGIN_SETTINGS ? error.path.split('/').slice(2).join('.') : ''
    return known
      ? `${at(name)}: ${name || 'the file'}${inside === '' ? '' : ` ${inside}`}: ${error.message.toLowerCase()}.`
      : `${at(name)}: ${name} is not a setting; docs/reference/settings.md lists all of them.`
  })
  if (faults.length > 0) throw new ConfigError([...new Set(faults)])
  const settings = Value.Default(Settings, given) as Settings
  const meaning = faultsOfMeaning(settings).map(
    ([name, fault]) => `${at(name)}: ${name}: ${fault}.`,
  )
  if (meaning.length > 0) throw new ConfigError(meaning)
  return toConfig(settings)
}

function faultsOfMeaning(settings: Settings): Array<[keyof Settings, string]> {
  const faults: Array<[keyof Settings, string]> = []
  for (const network of settings['thin-client-networks']) {
    if (!network.includes('/') || networkOf(network) === null)
      faults.push(['thin-client-networks', `"${network}" is not a network such as 10.1.0.0/16`])
  }
  faults.push(...proxyFaults(settings))
  faults.push(...storeFaults(settings))
  if ((settings['tls-certificate'] === '') !== (settings['tls-key'] === ''))
    faults.push(['tls-key', 'tls-certificate and tls-key are given together or not at all'])
  if (durationMs(settings['token-lifetime']) < 60_000)
    faults.push(['token-lifetime', 'it is at least PT1M'])
  const displayTimeoutMs = durationMs(settings['display-timeout'])
  if (displayTimeoutMs < 50 || displayTimeoutMs > 60_000)
    faults.push(['display-timeout', 'it is between PT0.05S and PT1M'])
  faults.push(...loginFaults(settings, (text) => networkOf(text) !== null))
  return faults
}

function storeFaults({
  store,
  'store-password-file': file,
}: Settings): Array<[keyof Settings, string]> {
  if (store === 'sqlite')
    return file === '' ? [] : [['store-password-file', 'SQLite has no password: leave it out']]
  const fault = placeFault(store)
  return fault === null ? [] : [['store', fault]]
}

/** Whom everybody is trusted to be, may say that they are anybody. */
function proxyFaults(settings: Settings): Array<[keyof Settings, string]> {
  return settings['trusted-proxies'].flatMap((text): Array<[keyof Settings, string]> => {
    const network = networkOf(text)
    if (network === null)
      return [
        [
          'trusted-proxies',
          `"${text}" is not an address or a network such as 10.1.0.5 or 10.1.0.0/24`,
        ],
      ]
    return network[1] === 0
      ? [['trusted-proxies', `"${text}" would believe everybody: name the proxies' own addresses`]]
      : []
  })
}

function toConfig(settings: Settings): Config {
  return {
    dataDir: settings['data-dir'],
    store: settings.store === 'sqlite' ? null : settings.store,
    storePasswordFile: settings['store-password-file'],
    listenAddress: settings['listen-address'],
    listenPort: settings['listen-port'],
    publicNames: settings['public-names'].length > 0 ? settings['public-names'] : [hostname()],
    siteNames: settings['public-names'],
    tls:
      settings['tls-certificate'] === ''
        ? null
        : { certificate: settings['tls-certificate'], key: settings['tls-key'] },
    clientsXmlPath: settings['clients-xml'],
    thinClientNetworks: networksOf(settings['thin-client-networks']),
    trustedProxies: networksOf(settings['trusted-proxies']),
    connectionsPerAddress: settings['connections-per-address'],
    consoleProxyPort: settings['console-proxy-port'],
    horizonServer: settings['horizon-server'],
    releaseAfterMs: durationMs(settings['release-after']),
    shutdownTimeoutMs: durationMs(settings['shutdown-timeout']),
    observeEveryMs: durationMs(settings['observe-every']),
    observationAgeMs: Math.max(
      durationMs(settings['observation-age']),
      2 * durationMs(settings['observe-every']),
    ),
    observationGraceMs: durationMs(settings['observation-grace']),
    displayTimeoutMs: durationMs(settings['display-timeout']),
    libvirtProcesses: settings['libvirt-processes'],
    directories: settings.directories,
    oidcProviders: settings['oidc-providers'],
    trustedProxy: settings['trusted-proxy'],
    sessionIdleMs: durationMs(settings['session-idle']),
    sessionLengthMs: durationMs(settings['session-length']),
    tokenLifetimeMs: durationMs(settings['token-lifetime']),
    thinClientLoginIdleMs: durationMs(settings['thin-client-login-idle']),
    jobsKeptMs: durationMs(settings['keep-jobs']),
    eventsKeptMs: durationMs(settings['keep-events']),
    logLevel: settings['log-level'],
  }
}

/** An ISO 8601 duration of days, hours, minutes and seconds in milliseconds; the form is checked before. */
export function durationMs(text: string): number {
  const part = (unit: string, from: string): number =>
    Number(new RegExp(`([\\d.]+)${unit}`).exec(from)?.[1] ?? 0)
  const [days = '', time = ''] = text.split('T')
  return Math.round(
    (((part('D', days) * 24 + part('H', time)) * 60 + part('M', time)) * 60 + part('S', time)) *
      1000,
  )
}

/** Where the broker keeps a file of its own. */
export function dataFile(config: Config, name: string): string {
  return join(config.dataDir, name)
}
