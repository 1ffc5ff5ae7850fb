import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, isIPv6 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authority, serverFor } from '../../support/certificate-chains.js'
import { until } from '../../support/until.js'
import { freePort } from '../../support/free-port.js'

/** A reverse proxy that listens on an address of its own in front of a broker. */
export interface Proxy {
  readonly name: string
  readonly url: string
  /** The CA of its certificate, which is not the broker's. */
  readonly ca: string
  readonly port: number
  readonly stop: () => Promise<void>
}

export interface Behind {
  /** Address and port of the broker. */
  readonly broker: string
  readonly brokerCa: string
  /** The address on which the proxy listens. */
  readonly listen?: string
}

export const KINDS = ['nginx', 'haproxy'] as const
type Kind = (typeof KINDS)[number]
const CONFIGURATIONS = { nginx: 'nginx.conf', haproxy: 'haproxy.cfg' } as const
/** What Debian's own /etc/nginx/nginx.conf has around the file, with every path in a folder of the test's. */
const AROUND = (folder: string, file: string): string => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path ${folder}/client_body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  include ${file};
}
`

/**
 * Debian's own nginx or HAProxy with the file of docs/how-to/reverse-proxy, in a folder of its own.
 * It dies with this process.
 */
export async function startProxy(
  kind: Kind,
  { broker, brokerCa, listen = '127.0.0.1' }: Behind,
): Promise<Proxy> {
  const name = isIPv6(listen) ? `[${listen}]` : listen
  const folder = mkdtempSync(join(tmpdir(), `berth-${kind}-`))
  mkdirSync(join(folder, 'etc'))
  const put = (name: string, text: string): string => {
    writeFileSync(join(folder, 'etc', name), text, { mode: 0o600 })
    return join(folder, 'etc', name)
  }
  const ca = await authority('the CA of the proxy')
  const own = await serverFor(['localhost', listen], { by: ca })
  const port = await freePort()
  const file = put(
    CONFIGURATIONS[kind],
    filled(readFileSync(join('docs', 'how-to', 'reverse-proxy', CONFIGURATIONS[kind]), 'utf8'), {
      LISTEN: `${name}:${port}`,
      NAME: 'localhost',
      CERTIFICATE: put('cert.pem', own.pem),
      KEY: put('key.pem', own.key),
      PEM: put('both.pem', `${own.pem}${own.key}`),
      BROKER: broker,
      BROKER_NAME: 'localhost',
      BROKER_CA: put('broker-ca.pem', brokerCa),
    }),
  )
  const argv =
    kind === 'nginx'
      ? ['nginx', '-p', folder, '-c', put('around.conf', AROUND(folder, file))]
      : ['haproxy', '-db', '-f', file]
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'pipe' })
  let said = ''
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const stop = async (): Promise<void> => {
    await stopped(server)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await until(async () => server.exitCode === null && (await isOpen(port, listen)), {
      withinMs: 10_000,
      what: `${kind} listens`,
    })
  } catch (cause) {
    await stop()
    throw new Error(`${kind} did not start: ${said}`, { cause })
  }
  const host = listen === '127.0.0.1' ? 'localhost' : name
  return { name: kind, url: `https://${host}:${port}`, ca: ca.pem, port, stop }
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text
    .split('\n')
    .map((line) =>
      line.startsWith('#')
        ? line
        : line.replaceAll(/@([A-Z_]+)@/g, (_, name: string) => {
            const value = values[name]
            if (value === undefined) throw new Error(`nobody fills in @${name}@`)
            return value
          }),
    )
    .join('\n')
}

/** nginx ends its workers at SIGTERM. */
async function stopped(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = once(server, 'exit')
  server.kill('SIGTERM')
  await ended
}

async function isOpen(port: number, host: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}
