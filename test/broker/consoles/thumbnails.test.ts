import t from 'tap'
import { Thumbnails } from '../../../broker/consoles/thumbnails.js'
import { allow, addPerson } from '../../support/people.js'
import { until } from '../../support/until.js'
import { office } from '../pools/office.js'

const MACHINE = { id: '1', name: 'pc-1', hypervisor: 'hv1', power: 'running' }

t.test('a host is asked once in five seconds, and not for what one may not look at', async (t) => {
  let asked = 0
  let now = 0
  let connected: string[] = []
  const hypervisors = {
    link: () => ({
      request: async () => {
        asked++
        return { png: 'AAAA' }
      },
    }),
  }
  const thumbnails = new Thumbnails({
    hypervisors: hypervisors as never,
    connected: async () => connected,
    now: () => now,
  })
  await Promise.all([thumbnails.of(MACHINE, 'root'), thumbnails.of(MACHINE, 'boss')])
  t.equal(asked, 1)
  now = 5_000
  t.equal((await thumbnails.of(MACHINE, 'root')).length, 3)
  t.equal(asked, 2)
  connected = ['ann']
  await t.rejects(
    thumbnails.of(MACHINE, 'root'),
    { code: 'console_in_use' },
    'also not the picture that is kept',
  )
  t.ok(await thumbnails.of(MACHINE, 'ann'), 'her own')
  await t.rejects(thumbnails.of({ ...MACHINE, power: 'off' }, 'ann'), {
    code: 'machine_off',
  })
})

t.test('through the API: those who may take a screen over, and nobody else', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.admin.done('/machines', {
    name: 'pc',
    type: 'simple',
    hypervisors: ['hv1'],
    network: 'none',
  })
  const [ann, boss] = [await addPerson(broker, 'ann'), await addPerson(broker, 'boss')]
  await allow(broker, 'ann', ['start', 'accessConsole'], 'pc')
  await allow(broker, 'boss', ['takeConsole'], 'pc')
  t.match(await boss.raw('GET', '/api/v1/machines/pc/thumbnail'), {
    status: 409,
    body: { code: 'machine_off' },
  })
  await broker.admin.done('/machines/pc/power', { action: 'start' })
  t.match(await ann.raw('GET', '/api/v1/machines/pc/thumbnail'), { status: 403 })
  const picture = await until(
    async () => {
      const answer = await boss.raw('GET', '/api/v1/machines/pc/thumbnail')
      return answer.status === 409 ? null : answer
    },
    { withinMs: 5_000, what: 'it is seen to run' },
  )
  t.match(picture, { status: 200, headers: { 'content-type': 'image/png' } })
})
