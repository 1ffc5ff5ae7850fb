import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import type { AskAnswer } from '../../broker/api/thin-clients.js'
import { fingerprintOfPem } from '../../broker/certificates/authority.js'
import { BrokerTrouble } from '../../thin-client/broker-client.js'
import { BrokerLink } from '../../thin-client/broker-link.js'
import { parseCommandLine } from '../../thin-client/command-line.js'
import { office } from '../broker/thin-clients/desk.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'

t.setTimeout(240_000)

/**
 * A third of the answers never arrive: the broker has done what was asked, and the connection is cut.
 * Gives how many were lost.
 */
function loseAThird(broker: SimulatedBroker): () => number {
  let [asked, lost] = [0, 0]
  broker.broker.app.server.prependListener(
    'request',
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.includes('/thin-clients/ask') !== true || asked++ % 3 !== 0) return
      lost++
      response.end = (() => {
        response.socket?.destroy()
        return response
      }) as typeof response.end
    },
  )
  return () => lost
}

/** The agent's own line to the broker, as one device of many. */
function deviceOf(broker: SimulatedBroker, directory: string): BrokerLink {
  const command = parseCommandLine([
    '--broker',
    broker.url.replace('https://', ''),
    '--ca',
    fingerprintOfPem(broker.ca),
    '--state-dir',
    directory,
    '--config',
    '/dev/null',
  ])
  if (command.kind !== 'run') throw new Error(`not understood: ${JSON.stringify(command)}`)
  const files = { kernelCommandLine: '/dev/null', resolvConf: '/dev/null' }
  return new BrokerLink(command, files, () => undefined, Math.random)
}

/** Asks as the agent does, until an answer comes; each failure is one of the connection. */
async function ask(link: BrokerLink, mac: string): Promise<AskAnswer> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      const answer = await link.ask({ macs: [mac], hostname: '', version: '1' })
      if (answer.deviceKey !== undefined) link.keepKey(answer.deviceKey)
      return answer
    } catch (error) {
      if (!(error instanceof BrokerTrouble)) throw error
    }
  }
  throw new Error('fifty answers were lost')
}

t.test(
  'a mass power-on in which a third of the answers is lost: nobody is locked out',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const lost = loseAThird(broker)
    const directory = t.testdir()
    const devices = Array.from({ length: 60 }, (_, number) => ({
      mac: `52:54:02:00:00:${number.toString(16).padStart(2, '0')}`,
      link: deviceOf(broker, join(directory, String(number))),
    }))
    const power = async (): Promise<AskAnswer[]> =>
      await Promise.all(devices.map(async ({ link, mac }) => await ask(link, mac)))
    const first = await power()
    // Every second one is switched off again before it shows its key.
    devices.forEach((device, number) => {
      if (number % 2 === 1) return
      device.link.close()
      device.link = deviceOf(broker, join(directory, String(number)))
    })
    const second = await power()
    const third = await power()
    t.ok(lost() >= 60, `${lost()} answers were lost`)
    for (const answers of [first, second, third])
      t.notOk(answers.find(({ sentence }) => /accept/.test(sentence)))
    t.same(
      third.map(({ device }) => device),
      first.map(({ device }) => device),
    )
    t.same(await broker.rows('SELECT id FROM thin_client WHERE accepted = 0 OR key_shown = 0'), [])
    t.equal((await broker.rows('SELECT id FROM thin_client')).length, 60)
    t.same(await broker.rows("SELECT * FROM event WHERE action = 'thin-client.wrong-key'"), [])
    for (const { link } of devices) link.close()
  },
)

t.test('an acceptance whose answer is lost reaches the device, too', async (t) => {
  const broker = await office(2, { config: { thinClientNetworks: [] } })
  t.teardown(async () => {
    await broker.remove()
  })
  const link = deviceOf(broker, t.testdir())
  const mac = '52:54:02:00:01:00'
  const { device, code } = await ask(link, mac)
  await broker.admin.post(`/thin-clients/${device}/accept`, { code })
  const lost = loseAThird(broker)
  t.match(await ask(link, mac), { deviceKey: String, device })
  t.equal(lost(), 1, 'the first answer with the key')
  t.match(await ask(link, mac), { device, deviceKey: undefined })
  link.close()
})
