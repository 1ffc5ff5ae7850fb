import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import { HelperChannel } from '../broker/hypervisors/helper-channel.js'
import { openHelper, openSsh } from '../broker/hypervisors/ssh-connection.js'
import type { FleetHost } from '../test/fleet/fleet-host.js'
import { until } from '../test/support/until.js'
import type { BenchOptions, Places } from './places.js'
import { median, milliseconds, quantile, type Report } from './report.js'

const ECHO_PORT = 7707
const ECHO_SERVER = `
import socket, threading
def serve(peer):
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := peer.recv(65536):
        peer.sendall(data)
server = socket.create_server(("0.0.0.0", ${ECHO_PORT}))
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
`
/** As long as a ping's line. */
const LINE_BYTES = 40
const WARM_UP = 100
const MOST_OVER_NETWORK_MS = 1

/**
 * A command on the helper's channel against an echo on the same host, over plain TCP and over the
 * same SSH connection.
 */
export async function measureChannel(
  places: Places,
  { small, log }: BenchOptions,
): Promise<Report> {
  const { fleet, directory } = await places.fleet(1)
  const host = fleet.hosts[0]
  if (!host) throw new Error('the fleet has no host')
  const count = small ? 200 : 2_000
  const echo = host.spawnInside(['python3', '-c', ECHO_SERVER])
  const ended = new AbortController()
  const ssh = await openSsh(
    {
      name: host.name,
      address: host.address,
      port: 22,
      hostKeyFingerprint: await host.hostKeyFingerprint(),
    },
    readFileSync(join(directory, 'data', 'ssh-key'), 'utf8'),
    ended.signal,
  )
  try {
    log(`Asking the helper of ${host.name} ${count} times …`)
    const tcp = await echoTimes(await tcpEcho(host), count)
    const overSsh = await echoTimes(await sshEcho(ssh), count)
    const ping = await pingTimes(host, ssh, count)
    return report(count, { ping, tcp, overSsh })
  } finally {
    ssh.destroy()
    echo.kill('SIGKILL')
  }
}

function report(
  count: number,
  samples: { ping: number[]; tcp: number[]; overSsh: number[] },
): Report {
  const both = (values: number[]): string =>
    `${milliseconds(median(values))}, ${milliseconds(quantile(values, 0.95))}`
  const overMs = median(samples.ping) - median(samples.tcp)
  return {
    name: 'channel',
    title: `A command on the helper channel, ${count} times one after another (p50, p95)`,
    samples,
    note:
      'The command is `ping`, a JSON line each way over the one SSH connection. The other side ' +
      'returns as many bytes: a TCP connection to the same host, and a forwarded connection ' +
      'inside an SSH connection.',
    comparisons: [
      {
        what: 'command, against a TCP echo',
        berth: both(samples.ping),
        otherSide: both(samples.tcp),
        ratio: median(samples.ping) / median(samples.tcp),
        target: `p50 ≤ ${MOST_OVER_NETWORK_MS} ms over it (${milliseconds(overMs)})`,
        met: overMs <= MOST_OVER_NETWORK_MS,
      },
      {
        what: 'command, against an echo through SSH',
        berth: both(samples.ping),
        otherSide: both(samples.overSsh),
        ratio: median(samples.ping) / median(samples.overSsh),
        target: '',
        met: null,
      },
    ],
  }
}

async function pingTimes(host: FleetHost, ssh: Client, count: number): Promise<number[]> {
  const helper = new HelperChannel(host.name, await openHelper(ssh))
  await helper.hello(15_000)
  return await times(count, async () => {
    await helper.request('ping', {})
  })
}

async function echoTimes(stream: Duplex, count: number): Promise<number[]> {
  const line = Buffer.alloc(LINE_BYTES, 'x')
  const measured = await times(count, async () => {
    await new Promise<void>((resolve) => {
      let missing = LINE_BYTES
      const take = (data: Buffer): void => {
        missing -= data.length
        if (missing > 0) return
        stream.off('data', take)
        resolve()
      }
      stream.on('data', take)
      stream.write(line)
    })
  })
  stream.destroy()
  return measured
}

async function times(count: number, act: () => Promise<void>): Promise<number[]> {
  const measured: number[] = []
  for (let index = 0; index < WARM_UP + count; index++) {
    const startMs = performance.now()
    await act()
    if (index >= WARM_UP) measured.push(performance.now() - startMs)
  }
  return measured
}

async function tcpEcho(host: FleetHost): Promise<Duplex> {
  return await until(
    async () =>
      await new Promise<Duplex>((resolve, reject) => {
        const socket = connect({ host: host.address, port: ECHO_PORT, noDelay: true }, () => {
          resolve(socket)
        })
        socket.on('error', reject)
      }),
    { withinMs: 10_000, what: 'the echo server listens' },
  )
}

async function sshEcho(ssh: Client): Promise<Duplex> {
  return await new Promise((resolve, reject) => {
    ssh.forwardOut('127.0.0.1', 0, '127.0.0.1', ECHO_PORT, (error, channel) => {
      if (error) reject(error)
      else resolve(channel)
    })
  })
}
