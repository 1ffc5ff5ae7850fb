import { type Static, Type } from '@sinclair/typebox'
import { oneOf, strictObject } from './api/common.js'
import { DirectorySettings, ProviderSettings, ProxySettings } from './login-settings.js'

const DURATION = Type.String({
  pattern: '^P(?=.)(\\d+D)?(T(?=.)(\\d+H)?(\\d+M)?(\\d+(\\.\\d+)?S)?)?$',
  description: 'ISO 8601, such as PT5M',
})

export const Settings = strictObject({
  'data-dir': Type.String({
    default: '/var/lib/berth',
    description: 'Database, keys, certificates; mode 0700',
  }),
  store: Type.String({
    default: 'sqlite',
    description:
      'Where the database is: sqlite, in data-dir, or the URL of a PostgreSQL database, such as ' +
      'postgresql://berth@db.example.org/berth or postgresql:///berth?host=/run/postgresql; see ' +
      'docs/how-to/postgresql.md',
  }),
  'store-password-file': Type.String({
    default: '',
    description: "A file with the password of store's PostgreSQL user; empty: none is needed",
  }),
  'listen-address': Type.String({
    default: '::',
    description: 'The address the broker listens on',
  }),
  'listen-port': Type.Integer({
    default: 8443,
    minimum: 0,
    maximum: 65535,
    description: 'The HTTPS port',
  }),
  'public-names': Type.Array(Type.String({ minLength: 1 }), {
    default: [],
    description:
      'Names and addresses by which thin clients and browsers reach the broker; they go into ' +
      'its certificate, and pages opened under another name are refused. Empty: the host ' +
      'name, and pages under any',
  }),
  'tls-certificate': Type.String({
    default: '',
    description:
      "A PEM certificate (chain) of your own instead of one from the broker's CA; a changed " +
      'file is taken without a restart',
  }),
  'tls-key': Type.String({ default: '', description: 'The private key of tls-certificate' }),
  'clients-xml': Type.String({
    default: '/var/lib/berth/clients.xml',
    description: 'Which thin client gets what',
  }),
  'thin-client-networks': Type.Array(Type.String(), {
    default: [],
    description:
      'Networks (CIDR) from which an unknown thin client is given a key at first contact; empty: none',
  }),
  'trusted-proxies': Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses or networks of reverse proxies in front of the broker: what they say in ' +
      'X-Forwarded-For, -Host, -Port and -Proto counts, and nobody else is believed; see ' +
      'docs/how-to/reverse-proxy.md',
  }),
  'connections-per-address': Type.Integer({
    default: 2_000,
    minimum: 10,
    maximum: 50_000,
    description:
      'Connections that one address (of IPv6: one /64) may hold at a time; addresses of ' +
      'thin-client-networks may hold ten times as many, since a whole site may stand behind ' +
      'one router. Behind a trusted proxy, open requests are counted instead',
  }),
  'console-proxy-port': Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 65535,
    description:
      'The port of the console proxy (plain HTTP, see docs/how-to/consoles.md); 0: none, ' +
      'since a second open port should be a decision',
  }),
  'horizon-server': Type.String({
    default: '',
    description: 'The Horizon connection server of vmView targets',
  }),
  'release-after': {
    ...DURATION,
    default: 'PT5M',
    description: 'How long after its viewer left a machine still counts as in use',
  },
  'shutdown-timeout': {
    ...DURATION,
    default: 'PT2M',
    description: 'How long a guest may take to shut down before it is powered off',
  },
  'observe-every': {
    ...DURATION,
    default: 'PT30S',
    description: 'How often every hypervisor is observed, besides its events',
  },
  'observation-age': {
    ...DURATION,
    default: 'PT2M',
    description:
      'What was observed longer ago counts as unknown, and what is unknown as in use; never ' +
      'less than twice observe-every',
  },
  'observation-grace': {
    ...DURATION,
    default: 'PT1M',
    description:
      'How long a host and a machine must have been observed without a break before anything there is reclaimed',
  },
  'display-timeout': {
    ...DURATION,
    default: 'PT2S',
    description: 'How long one QEMU may take to say who is connected to it',
  },
  'libvirt-processes': Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 32,
    description: 'Processes that carry the libvirt calls',
  }),
  directories: Type.Array(DirectorySettings, {
    default: [],
    description: 'LDAP servers and Active Directory with the accounts of users; see below',
  }),
  'oidc-providers': Type.Array(ProviderSettings, {
    default: [],
    description: 'OpenID Connect providers with the accounts of users; see below',
  }),
  'trusted-proxy': Type.Union([ProxySettings, Type.Null()], {
    default: null,
    description: 'A proxy that authenticates users; see below',
  }),
  'session-idle': {
    ...DURATION,
    default: 'PT2H',
    description: "A browser's session that nobody uses ends after this time",
  },
  'session-length': {
    ...DURATION,
    default: 'PT12H',
    description: "A browser's session ends after this time in any case",
  },
  'token-lifetime': {
    ...DURATION,
    default: 'P366D',
    description: 'No new token of a program is good for longer; those that exist keep their end',
  },
  'thin-client-login-idle': {
    ...DURATION,
    default: 'PT10M',
    description: "A person's login at a thin client that shows no desktop ends after this time",
  },
  'keep-jobs': {
    ...DURATION,
    default: 'P30D',
    description: 'Jobs that have ended are kept for this time',
  },
  'keep-events': {
    ...DURATION,
    default: 'P730D',
    description: 'Events of the audit log are kept for this time; export them before',
  },
  'log-level': oneOf(['debug', 'info', 'warn', 'error'] as const, {
    default: 'info',
    description: 'How much is logged',
  }),
})
export type Settings = Static<typeof Settings>

/** Every setting with its default and meaning, for docs/reference/settings.md. */
export const SETTINGS: ReadonlyArray<{ name: string; default: string; meaning: string }> =
  Object.entries(Settings.properties).map(([name, schema]) => ({
    name,
    default: JSON.stringify(schema['default']),
    meaning: schema.description ?? '',
  }))
