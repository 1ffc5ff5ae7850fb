import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from '../../fleet/command.js'
import { until } from '../../support/until.js'
import { ownCertificate } from './own-certificate.js'
import { listens } from './slapd.js'

export const REALM = 'ad.example.test'
export const AD_BASE = 'dc=ad,dc=example,dc=test'
export const ADMIN_PASSWORD = 'Passw0rd-of-the-administrator'
const LDAPS_PORT = 636

export interface SambaDomain {
  readonly url: string
  readonly ca: string
  readonly passwordFile: string
  tool: (...words: string[]) => Promise<void>
  remove: () => Promise<void>
}

/**
 * A real Active Directory domain controller, Samba's, in a folder of its own, of which only the
 * LDAP server runs. Its ports cannot be chosen, so it listens on a loopback address of its own.
 * Needs root; it dies with this process.
 */
export async function startSamba(): Promise<SambaDomain> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-samba-'))
  const address = `127.77.${process.pid % 250}.${1 + Math.floor(Math.random() * 250)}`
  const { certificate, key } = await ownCertificate(folder, [address])
  chmodSync(key, 0o600) // samba refuses a key that others may read
  const settings = await provision(folder, address, certificate, key)
  const server = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'samba', '-F', '-M', 'single', '--no-process-group', '-s', settings],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  server.stderr.on('data', (said: Buffer) => {
    appendFileSync(join(folder, 'said'), said)
  })
  await until(async () => await listens(LDAPS_PORT, address), {
    withinMs: 30_000,
    everyMs: 100,
    what: 'Samba listens',
  })
  const passwordFile = join(folder, 'bind-password')
  writeFileSync(passwordFile, ADMIN_PASSWORD)
  return {
    url: `ldaps://${address}`,
    ca: certificate,
    passwordFile,
    tool: async (...words) => {
      await mustRun(['samba-tool', ...words, '-s', settings])
    },
    remove: async () => {
      const gone = once(server, 'exit')
      server.kill('SIGKILL')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function provision(folder: string, address: string, certificate: string, key: string) {
  await mustRun([
    'samba-tool',
    'domain',
    'provision',
    `--targetdir=${folder}/dc`,
    `--realm=${REALM}`,
    '--domain=AD',
    '--server-role=dc',
    '--dns-backend=NONE',
    `--adminpass=${ADMIN_PASSWORD}`,
    '--host-name=dc1',
    `--host-ip=${address}`,
    `--option=posix:eadb=${folder}/eadb.tdb`,
  ])
  const settings = join(folder, 'dc', 'etc', 'smb.conf')
  const runtime = join(folder, 'run')
  mkdirSync(runtime)
  const global = [
    'server services = ldap',
    `interfaces = ${address}/8`,
    'bind interfaces only = yes',
    `pid directory = ${runtime}`,
    `ncalrpc dir = ${runtime}/ncalrpc`,
    `log file = ${folder}/log`,
    'tls enabled = yes',
    `tls certfile = ${certificate}`,
    `tls keyfile = ${key}`,
    `tls cafile = ${certificate}`,
  ]
  writeFileSync(
    settings,
    readFileSync(settings, 'utf8').replace(
      '[global]\n',
      `[global]\n${global.map((line) => `\t${line}\n`).join('')}`,
    ),
  )
  return settings
}
