import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mustRun } from '../../fleet/command.js'
import { until } from '../../support/until.js'
import { ownCertificate } from './own-certificate.js'
import { freePort } from '../../support/free-port.js'

export const BASE = 'dc=example,dc=test'
export const ROOT_DN = `cn=root,${BASE}`
export const ROOT_PASSWORD = 'password of the root'
const NOBODY = 65_534

export interface Slapd {
  readonly ldaps: string
  readonly ldap: string
  readonly ca: string
  readonly folder: string
  readonly passwordFile: string
  stop: () => Promise<void>
  start: () => Promise<void>
  remove: () => Promise<void>
}

/**
 * Debian's own OpenLDAP server in a folder of its own, as nobody, on ports of its own, with this
 * LDIF in it. It dies with this process.
 */
export async function startSlapd(ldif: string): Promise<Slapd> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-slapd-'))
  mkdirSync(join(folder, 'db'))
  const { certificate, key } = await ownCertificate(folder, ['127.0.0.1'])
  const [secure, plain] = [await freePort(), await freePort()]
  writeSettings(folder, certificate, key)
  writeFileSync(join(folder, 'data.ldif'), ldif)
  await mustRun(['slapadd', '-f', join(folder, 'slapd.conf'), '-l', join(folder, 'data.ldif')])
  const passwordFile = join(folder, 'bind-password')
  writeFileSync(passwordFile, `${ROOT_PASSWORD}\n`)
  ownAll(folder)
  const urls = { ldaps: `ldaps://127.0.0.1:${secure}`, ldap: `ldap://127.0.0.1:${plain}` }
  let server: ReturnType<typeof spawn> | null = null
  const start = async (): Promise<void> => {
    if (server?.exitCode === null && server.signalCode === null) return
    server = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        `--reuid=${NOBODY}`,
        `--regid=${NOBODY}`,
        '--clear-groups',
        'slapd',
        '-d',
        '0',
        '-f',
        join(folder, 'slapd.conf'),
        '-h',
        `${urls.ldaps} ${urls.ldap}`,
      ],
      { stdio: 'ignore' },
    )
    await until(async () => (await listens(secure)) && (await listens(plain)), {
      withinMs: 10_000,
      everyMs: 50,
      what: 'slapd listens',
    })
  }
  const stop = async (): Promise<void> => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    server.kill('SIGKILL')
    await gone
  }
  await start()
  return {
    ...urls,
    ca: certificate,
    folder,
    passwordFile,
    start,
    stop,
    remove: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function writeSettings(folder: string, certificate: string, key: string) {
  writeFileSync(
    join(folder, 'slapd.conf'),
    [
      ...['core', 'cosine', 'inetorgperson', 'nis'].map(
        (name) => `include /etc/ldap/schema/${name}.schema`,
      ),
      'modulepath /usr/lib/ldap',
      'moduleload back_mdb',
      `pidfile ${folder}/pid`,
      `TLSCertificateFile ${certificate}`,
      `TLSCertificateKeyFile ${key}`,
      'disallow bind_anon',
      'require authc',
      'database mdb',
      `suffix ${BASE}`,
      `directory ${folder}/db`,
      `rootdn ${ROOT_DN}`,
      `rootpw "${ROOT_PASSWORD}"`,
      '',
    ].join('\n'),
  )
}

function ownAll(folder: string): void {
  chmodSync(folder, 0o755)
  for (const path of [
    folder,
    ...readdirSync(folder, { recursive: true }).map((one) => join(folder, String(one))),
  ])
    chownSync(path, NOBODY, NOBODY)
}

export async function listens(port: number, host = '127.0.0.1'): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })
}
