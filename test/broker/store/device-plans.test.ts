import Database from 'better-sqlite3'
import { join } from 'node:path'
import t from 'tap'
import { Statements } from '../../support/statements.js'
import { clientsXml, Desk, entry, newMac, office } from '../thin-clients/desk.js'

// After a power cut ten thousand devices ask within seconds: a question of one may not read what there is of all.
const OF_DEVICES = ['thin_client', 'thin_client_mac', 'device_login']

const statements = new Statements()
t.teardown(() => {
  statements.stop()
})

t.test('a question of one device reads no table of all from end to end', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const [known, unknown, renamed] = [1, 2, 3].map(() => new Desk(broker, newMac()))
  if (!known || !unknown || !renamed) throw new Error('three desks')
  await clientsXml(broker, entry(`mac="${known.macs[0] ?? ''}"`, 'spice:pc-1'))
  for (const desk of [known, unknown, renamed]) await desk.ask()
  await known.askUntil('ready')
  await known.ask(1_000)
  const database = new Database(join(broker.directory, 'data', 'berth.sqlite'), { readonly: true })
  t.teardown(() => database.close())
  const selects = [...new Set(statements.take())].filter((text) =>
    /^\s*(select|update|delete)\b.*\bwhere\b/is.test(text),
  )
  t.ok(selects.length > 20, `${selects.length} statements`)
  t.ok(
    selects.some((text) => text.includes('"believed_hostname" = ?')),
    'names of hosts are compared',
  )
  const faults = selects.filter((text) =>
    plan(database, text).some((detail) =>
      OF_DEVICES.includes(/^SCAN (\w+)/.exec(detail)?.[1] ?? ''),
    ),
  )
  t.same(faults, [])
})

function plan(database: Database.Database, text: string): string[] {
  const statement = database.prepare<unknown[]>(`explain query plan ${text}`)
  const values = Array.from({ length: (text.match(/\?/g) ?? []).length }, () => 1)
  return (statement.all(...values) as Array<{ detail: string }>).map(({ detail }) => detail)
}
