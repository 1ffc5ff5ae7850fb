import t from 'tap'
import { until } from '../../support/until.js'
import { clientsXml, Desk, newMac, office } from './desk.js'

t.test('a device that is removed gives back the desktop of a pool, and says so', async (t) => {
  const broker = await office(1)
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.admin.post('/pools', { name: 'lab', policy: { retention: 'PT1H' } })
  await broker.admin.post('/pools/lab/members', { machine: 'pc-1' })
  await clientsXml(broker, '<default><desktop-pool>lab</desktop-pool></default>')
  const desk = new Desk(broker, newMac())
  const { device } = await until(
    async () => {
      const answer = await desk.ask(5_000)
      return answer.state === 'ready' ? answer : null
    },
    { withinMs: 20_000, what: 'it has a desktop' },
  )
  await broker.admin.delete(`/thin-clients/${device}`)
  t.same(await broker.rows('SELECT machine_id FROM assignment'), [])
  t.match(await broker.rows("SELECT detail FROM event WHERE action = 'desktop.release'"), [
    { detail: /its device was removed/ },
  ])
})
