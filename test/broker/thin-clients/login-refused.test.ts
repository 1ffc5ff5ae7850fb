import t from 'tap'
import { until } from '../../support/until.js'
import { clientsXml, Desk, newMac } from './desk.js'
import { account, device, listed, PASSWORD, peopleOffice, sitDown } from './people-office.js'

t.setTimeout(360_000)

t.test(
  'who may use nothing is told so, is not logged in, and somebody else may log in',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'carol', [])
    await account(broker, 'alice')
    const desk = await device(broker)
    t.match(await desk.person('login', { name: 'carol', password: PASSWORD }), {
      status: 403,
      body: {
        code: 'forbidden',
        message:
          'carol may use no desktop at this screen: ask an administrator, or log in as somebody else.',
      },
    })
    t.match(await desk.ask(), { state: 'login' })
    t.match(await listed(broker, desk), { person: null })
    await sitDown(broker, desk, 'alice')
  },
)

t.test(
  'only a device with its key, for which clients.xml says so, can log somebody in',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    const desk = await device(broker)
    const stranger = new Desk(broker, newMac())
    const body = { name: 'alice', password: PASSWORD }
    t.match(await stranger.person('login', body), { status: 403, body: { code: 'device_unknown' } })
    stranger.key = 'ab'.repeat(32)
    for (const path of [
      'login',
      'choose',
      'logout',
      'login/provider',
      'login/provider/poll',
    ] as const)
      t.match(
        await stranger.person(
          path,
          path === 'login'
            ? body
            : path === 'login/provider'
              ? { provider: 'x' }
              : path === 'login/provider/poll'
                ? { handle: 'x' }
                : {},
        ),
        { status: 403 },
        `${path} with a key that was never given`,
      )
    await clientsXml(
      broker,
      '<default><protocol>RDP</protocol><machine-rdp-address>ts</machine-rdp-address></default>',
    )
    t.match(await desk.person('login', body), {
      status: 400,
      body: { message: /clients.xml has no target LOGIN/ },
    })
    t.same(await broker.rows('SELECT * FROM device_login'), [])
  },
)

t.test(
  'wrong passwords are counted by the account and by the device, not by the address that many devices share',
  async (t) => {
    const broker = await peopleOffice()
    t.teardown(async () => {
      await broker.remove()
    })
    await account(broker, 'alice')
    await account(broker, 'bob')
    const [desk, other] = [await device(broker), await device(broker)]
    const refused = await until(
      async () => {
        const { status, body } = await desk.person('login', { name: 'alice', password: 'wrong' })
        return status === 429 ? body : null
      },
      { withinMs: 20_000, everyMs: 1, what: 'too many for one account' },
    )
    t.match(refused, { code: 'too_many_requests' })
    t.match(
      await other.person('login', { name: 'alice', password: PASSWORD }),
      { status: 429 },
      'the account is locked everywhere',
    )
    let tries = 0
    // It waits for a second only, which a slow machine may need for the rest of a fixed number of tries.
    await until(
      async () => {
        const name = `nobody ${tries++}`
        return (await desk.person('login', { name, password: 'wrong' })).status === 429
      },
      { withinMs: 20_000, everyMs: 1, what: 'too many for one device' },
    )
    t.ok(tries > 10, `${tries} names were tried`)
    t.match(
      await desk.person('login', { name: 'bob', password: PASSWORD }),
      { status: 429 },
      'the device is locked',
    )
    t.match(
      await other.person('login', { name: 'bob', password: PASSWORD }),
      { status: 200 },
      'its neighbour is not',
    )
  },
)
