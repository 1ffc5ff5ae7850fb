import t, { type Test } from 'tap'
import { KnownBrowsers } from '../../../broker/users/known-browsers.js'
import { ApiClient } from '../../support/api-client.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { BrowserClient } from './browser-client.js'

const PASSWORD = 'a long password of theirs'
const KNOWN = '__Host-berth-known'

async function office(t: Test): Promise<SimulatedBroker> {
  const broker = await SimulatedBroker.start()
  t.teardown(async () => {
    await broker.remove()
  })
  for (const name of ['ann', 'bob']) await broker.admin.post('/users', { name, password: PASSWORD })
  return broker
}

/** Wrong passwords from somewhere, until that is refused. */
async function attack(broker: SimulatedBroker, name: string, address: string): Promise<number> {
  const stranger = new ApiClient(broker.url, broker.ca, null, address)
  for (let tries = 1; tries < 200; tries++) {
    const { status } = await stranger.raw('POST', '/api/v1/login', {
      name,
      password: `no ${tries}`,
    })
    if (status === 429) return tries
  }
  throw new Error('nobody stopped the guesses')
}

t.test('strangers cannot keep somebody out of the browser where they have been', async (t) => {
  const broker = await office(t)
  const own = new BrowserClient(broker)
  t.match(await own.logIn('ann', PASSWORD), { status: 200 })
  await own.ask('DELETE', '/api/v1/session')
  t.ok(own.cookies.has(KNOWN), 'the mark stays after a log-out')
  t.ok((await attack(broker, 'ann', '127.0.0.66')) <= 6)
  t.match(await new BrowserClient(broker).logIn('ann', PASSWORD), { status: 429 }, 'elsewhere')
  t.match(await own.logIn('ANN', PASSWORD), { status: 200 }, 'in the own browser')
  t.match(
    await own.ask('POST', '/api/v1/password', {
      oldPassword: PASSWORD,
      newPassword: `${PASSWORD} 2`,
    }),
    { status: 204 },
    'and the password can be changed meanwhile',
  )
  t.match(
    await new BrowserClient(broker).logIn('ann', `${PASSWORD} 2`),
    { status: 429 },
    'which sets nobody else’s counter back',
  )
})

t.test('a mark buys no guesses: not at others, not by copies, not forged', async (t) => {
  const broker = await office(t)
  const bob = new BrowserClient(broker)
  await bob.logIn('bob', PASSWORD)
  await attack(broker, 'ann', '127.0.0.66')
  t.match(await bob.logIn('ann', PASSWORD), { status: 429 }, 'the mark of another person')
  const ann = new BrowserClient(broker)
  await broker.admin.post('/users/ann/unlock')
  await ann.logIn('ann', PASSWORD)
  const mark = ann.cookies.get(KNOWN) ?? ''
  await attack(broker, 'ann', '127.0.0.66')
  for (const forged of [
    `${'A'.repeat(16)}.${mark.split('.')[1] ?? ''}`,
    `${mark.split('.')[0] ?? ''}.${'A'.repeat(43)}`,
    mark.slice(1),
    '~~~~',
    'x'.repeat(4_000),
  ]) {
    const other = new BrowserClient(broker)
    other.cookies.set(KNOWN, forged)
    t.match(await other.logIn('ann', PASSWORD), { status: 429 }, forged.slice(0, 30))
  }
  const seen: number[] = []
  for (let index = 0; index < 12; index++) {
    const copy = new BrowserClient(broker)
    copy.cookies.set(KNOWN, mark)
    seen.push((await copy.logIn('ann', `wrong ${index}`)).status)
  }
  t.equal(seen.filter((status) => status === 401).length, 5, 'copies share one counter')
  t.match(await ann.logIn('ann', PASSWORD), { status: 429 })
  await broker.admin.post('/users/ann/unlock')
  t.match(await ann.logIn('ann', PASSWORD), { status: 200 }, 'an administrator unlocks it as well')
})

t.test('a browser that many share knows the last eight', async (t) => {
  const browsers = new KnownBrowsers('secret')
  let cookie: string | undefined
  for (let index = 0; index < 10; index++) cookie = browsers.after(cookie, `person-${index}`)
  t.equal(browsers.markOf(cookie, 'person-1'), null)
  t.type(browsers.markOf(cookie, 'PERSON-2'), 'string')
  t.equal(browsers.after(cookie, 'person-9'), cookie, 'a mark stays as it is')
  t.equal(new KnownBrowsers('another').markOf(cookie, 'person-9'), null)
  t.ok((cookie ?? '').length < 600)
})
