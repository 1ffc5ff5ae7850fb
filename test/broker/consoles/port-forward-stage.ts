import { once } from 'node:events'
import { type Socket } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CliUnderTest, type Running } from '../../cli/run-cli.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { type EchoServer, startEcho } from './echo.js'

export const cli = await CliUnderTest.compile()
t.teardown(() => {
  cli.remove()
})

interface Stage {
  readonly broker: SimulatedBroker
  readonly echo: EchoServer
  readonly env: Record<string, string>
}

/** The running machine pc-1 at 192.168.122.10, whose port 7 gives back what it gets. */
export async function stage(t: Test): Promise<Stage> {
  const echo = await startEcho()
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
    await echo.close()
  })
  await broker.addHypervisors()
  broker.host().onConnection = (host, port) =>
    host === '192.168.122.10' && (port === 7 || port === 22) ? echo.connection() : null
  broker.host().addresses.set('pc-1', ['192.168.122.10'])
  await broker.admin.done('/machines', {
    name: 'pc-1',
    type: 'simple',
    hypervisors: ['hv1'],
    memoryMib: 64,
    diskGib: 1,
  })
  await broker.admin.done('/machines/pc-1/power', { action: 'start' })
  writeFileSync(join(cli.folder, 'ca.pem'), broker.ca)
  return {
    broker,
    echo,
    env: {
      BERTH_BROKER: `127.0.0.1:${broker.broker.port}`,
      BERTH_CA: join(cli.folder, 'ca.pem'),
      BERTH_TOKEN: broker.token,
    },
  }
}

export async function forwarding(
  t: Test,
  { env }: Stage,
  ports: string,
): Promise<{ running: Running; port: number }> {
  const running = cli.start(['port-forward', 'pc-1', ports], { env })
  t.teardown(() => {
    running.process.kill('SIGKILL')
  })
  const port = await until(
    () => Number(/127\.0\.0\.1:(\d+) is port/.exec(running.seen())?.[1] ?? 0),
    { withinMs: 10_000, what: `berth listens: ${running.seen()}` },
  )
  return { running, port }
}

export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}
