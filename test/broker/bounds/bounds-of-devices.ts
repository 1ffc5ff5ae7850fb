import { request } from 'node:https'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { openStore } from '../../../broker/store/open.js'
import { FirstContacts } from '../../../broker/thin-clients/first-contacts.js'
import { newMac } from '../thin-clients/desk.js'
import { admin, type BoundRows, broker, directory, posted } from './crowded-broker.js'

const ask = (mac: string, hostname = 'desk'): object => ({ macs: [mac], hostname, version: '1' })

/** A first contact. */
async function fromDevice(mac: string, from: string): Promise<{ deviceKey: string }> {
  const text = JSON.stringify(ask(mac))
  return await new Promise((resolve, reject) => {
    request(
      `${broker.url}/api/v1/thin-clients/ask`,
      {
        method: 'POST',
        ca: broker.ca,
        localAddress: from,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      (response) => {
        response.setEncoding('utf8')
        response.once('data', (answer: string) => {
          resolve(JSON.parse(answer) as { deviceKey: string })
        })
      },
    )
      .on('error', reject)
      .end(text)
  })
}

async function eventsOf(action: string): Promise<number> {
  const { events } = await admin.get<{ events: unknown[] }>(`/events?action=${action}&limit=500`)
  return events.length
}

/** Thin clients, known and unknown. */
export const DEVICES: BoundRows = {
  'questions of one device': async (t) => {
    const mac = newMac()
    const asked = await fromDevice(mac, '127.1.0.1')
    const statuses = await posted({
      from: '127.1.0.1',
      headers: { authorization: `Device ${asked.deviceKey}` },
      count: 900,
      body: () => ask(mac),
    })
    t.ok((statuses.get(429) ?? 0) > 0, 'it is told to wait')
  },
  "what is remembered of a device's last answer": async (t) => {
    const mac = newMac()
    const statuses = await posted({
      from: '127.1.0.2',
      count: 500,
      body: (index) => ask(mac, `desk-${String(index)}`),
    })
    t.equal(statuses.get(200), 500, 'all those names are of one device')
  },
  'first contacts': async (t) => {
    const statuses = await posted({
      from: '127.1.0.3',
      count: 2_000,
      body: () => ask(newMac()),
    })
    t.ok((statuses.get(200) ?? 0) > 0)
    const store = await openStore(join(directory, 'first-contacts.sqlite'))
    const contacts = new FirstContacts({ store, now: () => 0 })
    for (let index = 0; index < 15_000; index++) if (await contacts.count()) t.fail('too early')
    t.type(await contacts.count(), 'string')
    await store.destroy()
  },
  'devices that nobody has accepted': async (t) => {
    await posted({ from: '127.0.0.13', count: 200, body: () => ask(newMac()) })
    const database = new Database(join(directory, 'data', 'berth.sqlite'), { readonly: true })
    const { count } = database
      .prepare(
        "SELECT count(*) AS count FROM thin_client WHERE accepted = 0 AND address = '127.0.0.13'",
      )
      .get() as { count: number }
    database.close()
    t.equal(count, 50)
  },
  'strangers that say a known MAC': async (t) => {
    const mac = newMac()
    await posted({ from: '127.1.0.4', count: 1, body: () => ask(mac) })
    const before = await eventsOf('thin-client.wrong-key')
    await posted({ from: '127.0.0.14', count: 500, body: () => ask(mac) })
    t.ok((await eventsOf('thin-client.wrong-key')) - before <= 1)
  },
}
