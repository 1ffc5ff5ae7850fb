import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { Client } from 'ldapts'

export interface ConnectionSettings {
  readonly url: string
  readonly startTls: boolean
  readonly tls: ConnectionOptions
  readonly timeoutMs: number
}

/**
 * Calls `work` with an encrypted connection, and ends the connection whatever happens. Three habits
 * of the library are bounded here: it would connect again by itself, after StartTLS in the clear;
 * it upgrades without a bound of time and checks the certificate for `localhost`; and it leaves the
 * socket of a server that does not answer open.
 */
export async function withConnection<T>(
  settings: ConnectionSettings,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { url, startTls, tls, timeoutMs } = settings
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  const sockets: Socket[] = []
  const once = <S extends Socket>(socket: () => S): S => {
    if (sockets.length > 0) throw new Error('the server closed the connection')
    return keep(sockets, socket())
  }
  const client = new Client({
    // With tlsOptions the library encrypts from the first byte, whatever the address says.
    url,
    timeout: timeoutMs,
    connectTimeout: timeoutMs,
    ...(startTls ? {} : { tlsOptions: tls }),
    createConnection: ((port: number, to: string) =>
      once(() => connect(port, to))) as typeof connect,
    createSecureConnection: ((
      ...given: [ConnectionOptions] | [number, string, ConnectionOptions]
    ) =>
      given.length === 1
        ? keep(sockets, connectTls({ ...given[0], host }))
        : once(() => connectTls(given[0], given[1], given[2]))) as typeof connectTls,
  })
  try {
    if (startTls) await bounded(client.startTLS({ ...tls }), timeoutMs, sockets)
    return await work(client)
  } finally {
    await client.unbind().catch(() => undefined) // it may never have been connected, and is cut in any case
    for (const socket of sockets) socket.destroy()
  }
}

function keep<S extends Socket>(sockets: Socket[], socket: S): S {
  sockets.push(socket)
  socket.on('error', () => undefined) // the library's own listener tells; after the end nobody listens any more
  return socket
}

async function bounded(
  upgrade: Promise<void>,
  timeoutMs: number,
  sockets: readonly Socket[],
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
      reject(new Error(`no encryption within ${timeoutMs} ms`))
    }, timeoutMs)
  })
  try {
    await Promise.race([upgrade, late])
  } finally {
    clearTimeout(timer)
  }
}
