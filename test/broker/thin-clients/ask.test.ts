import { writeFileSync } from 'node:fs'
import t from 'tap'
import type { ClientsXmlCheck } from '../../../broker/api/clients-xml.js'
import type { AskAnswer } from '../../../broker/api/thin-clients.js'
import { refusal } from '../../../broker/errors/broker-error.js'
import { until } from '../../support/until.js'
import { clientsXml, Desk, entry, newMac, office } from './desk.js'

t.setTimeout(240_000)

t.test('a machine that is off is started, then shown with a fresh ticket each time', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1'))
  t.match(await desk.ask(), { state: 'starting', sentence: 'pc-1 is being started.' })
  const ready = await desk.ask(10_000)
  t.equal(
    (await broker.rows("SELECT id FROM job WHERE kind = 'power'")).length,
    1,
    'it is started once',
  )
  const shown = ready.state === 'ready' ? ready : await desk.askUntil('ready')
  t.match(shown, {
    console: {
      protocol: 'spice',
      host: '10.0.0.1',
      tlsPort: 5901,
      hostSubject: 'O=Berth,CN=hv1',
      title: 'pc-1',
      ticketSeconds: 30,
    },
    viewer: { fullScreen: true },
  })
  const password = shown.console?.protocol === 'spice' ? shown.console.password : ''
  t.ok(password.length >= 22 && password.length <= 60)
  t.equal(broker.host().domains.get('pc-1')?.ticket, password, 'the host has it')
  const again = await desk.ask()
  t.not(again.console?.protocol === 'spice' ? again.console.password : '', password)
})

t.test('asking again during a session gives a new ticket and cuts nobody', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1'))
  await desk.ask()
  await desk.askUntil('ready')
  const calls: string[] = []
  broker.host().viewers.set('pc-1', ['127.0.0.1'])
  broker.host().push('pc-1', 'Viewer')
  await until(
    async () =>
      (await broker.admin.get<{ viewers: string[] }>('/machines/pc-1')).viewers.length === 1,
    { withinMs: 3_000, what: 'the viewer is seen' },
  )
  broker.host().onCall = (call) => {
    calls.push(call)
  }
  t.match(await desk.ask(), { state: 'ready' })
  t.ok(calls.includes('ticket'))
  t.notOk(calls.includes('disconnect') || calls.includes('destroy'))
  t.same(broker.host().viewers.get('pc-1'), ['127.0.0.1'])
})

t.test('maintenance on and off is told to who waits within a second', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1'))
  for (const path of ['/machines/pc-1', '/hypervisors/hv1']) {
    await broker.admin.put(`${path}/maintenance`, { on: true, reason: 'new memory' })
    t.match(await desk.ask(), {
      state: 'maintenance',
      sentence: /in maintenance: new memory\. This screen goes on by itself/,
    })
    const waiting = desk.ask(30_000)
    const since = performance.now()
    await broker.admin.put(`${path}/maintenance`, { on: false })
    t.match(await waiting, { state: path.startsWith('/machines') ? 'starting' : 'ready' })
    t.ok(performance.now() - since < 1_000, `${Math.round(performance.now() - since)} ms`)
    await desk.askUntil('ready')
  }
})

t.test(
  'RDP or Horizon takes over while the machine is in maintenance, and gives it back',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const [rdp, horizon] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
    await clientsXml(
      broker,
      entry(`mac="${rdp.macs[0] ?? ''}"`, 'spice:pc-1', 'rdp:ts.example.org') +
        entry(`mac="${horizon.macs[0] ?? ''}"`, 'spice:pc-2', 'horizon:Win 10'),
    )
    await rdp.ask()
    t.match(await rdp.askUntil('ready'), { console: { protocol: 'spice' } })
    for (const name of ['pc-1', 'pc-2'])
      await broker.admin.put(`/machines/${name}/maintenance`, { on: true })
    t.match(await rdp.ask(), {
      state: 'ready',
      console: { protocol: 'rdp', address: 'ts.example.org' },
    })
    t.match(await horizon.ask(), {
      state: 'ready',
      console: { protocol: 'horizon', server: 'horizon.example.org', desktopPool: 'Win 10' },
    })
    for (const name of ['pc-1', 'pc-2'])
      await broker.admin.put(`/machines/${name}/maintenance`, { on: false })
    t.match(await rdp.ask(), { console: { protocol: 'spice' } })
  },
)

t.test('two devices for one machine: the second waits until the first has left', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const [one, two] = [new Desk(broker, newMac()), new Desk(broker, newMac())]
  await clientsXml(
    broker,
    [one, two].map((desk) => entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1')).join(''),
  )
  await one.ask()
  await one.askUntil('ready')
  t.match(await two.ask(), { state: 'waiting', sentence: /pc-1 is in use: it was just handed out/ })
  broker.host().viewers.set('pc-1', ['127.0.0.1'])
  broker.host().push('pc-1', 'Viewer')
  await until(async () => (await two.ask()).sentence.includes('viewer at 127.0.0.1'), {
    withinMs: 3_000,
    what: 'the second is told of the viewer',
  })
  broker.host().viewers.set('pc-1', [])
  broker.host().push('pc-1', 'Viewer')
  t.match(await two.askUntil('ready'), { console: { title: 'pc-1' } })
  t.match(await one.ask(), { state: 'waiting' })
})

t.test('of many devices that ask for one machine at once, one gets it', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desks = Array.from({ length: 8 }, () => new Desk(broker, newMac()))
  await clientsXml(
    broker,
    desks.map((desk) => entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1')).join(''),
  )
  await broker.admin.done('/machines/pc-1/power', { action: 'start' })
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(desks.map(async (desk) => await desk.ask()))
    t.equal(answers.filter((answer) => answer.state === 'ready').length, 1)
    await broker.run('UPDATE assignment SET ticket_at = 1') // as if its owner had gone
  }
})

t.test('what hinders is said in a sentence', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  t.match(await desk.ask(), { state: 'unknown', sentence: /No desktop is configured/ })
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1'))
  broker.host().onCall = (call) => {
    if (call === 'start')
      throw refusal('host_refused', { hypervisor: 'hv1', said: 'no memory is left.' })
  }
  await desk.ask()
  await until(
    async () => /could not be started: .*no memory is left/.test((await desk.ask()).sentence),
    { withinMs: 3_000, what: 'the reason is told' },
  )
  broker.host().onCall = () => {}
  broker.host().link?.setUp(false)
  t.match(await desk.ask(), { state: 'waiting', sentence: /hv1, where pc-1 runs, does not answer/ })
  broker.host().link?.setUp(true)
  await until(
    async () => (await broker.admin.get<{ power: string }>('/machines/pc-1')).power === 'off',
    { withinMs: 3_000, what: 'pc-1 is seen again' },
  )
  await broker.admin.succeeded((await broker.admin.delete<{ job: string }>('/machines/pc-1')).job)
  t.match(await desk.ask(), { state: 'unknown', sentence: /does not exist any more/ })
})

t.test('a fixed machine comes before clients.xml', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const desk = new Desk(broker, newMac())
  await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'spice:pc-1'))
  const { device } = await desk.ask()
  await broker.admin.put(`/thin-clients/${device}/assignment`, { machine: 'pc-2' })
  t.match(await desk.askUntil('ready'), { console: { title: 'pc-2' } })
  await broker.admin.put(`/thin-clients/${device}/assignment`, { machine: null })
  t.match(await desk.askUntil('ready'), { console: { title: 'pc-1' } })
})

t.test(
  'clients.xml on disk is reloaded; a bad one is refused and the last good one stays',
  async (t) => {
    const broker = await office()
    t.teardown(async () => {
      await broker.remove()
    })
    const desk = new Desk(broker, newMac())
    await clientsXml(broker, entry(`mac="${desk.macs[0] ?? ''}"`, 'rdp:first.example.org'))
    const address = (answer: AskAnswer): string =>
      answer.console?.protocol === 'rdp' ? answer.console.address : ''
    t.equal(address(await desk.ask()), 'first.example.org')
    writeFileSync(
      broker.clientsXml,
      '<thin-clients><client ip="10.0.0.1"><protocol>RPD</protocol></client></thin-clients>',
    )
    const faults = await until(
      async () =>
        (await broker.admin.get<{ faults: ClientsXmlCheck['faults'] }>('/clients-xml')).faults[0],
      { withinMs: 7_000, what: 'the bad file is seen' },
    )
    t.match(faults, { line: 1, severity: 'error', message: /protocol "RPD" is unknown/ })
    t.equal(address(await desk.ask()), 'first.example.org')
    await t.rejects(broker.admin.put('/clients-xml', { text: '<thin-clients>' }), {
      status: 422,
      code: 'clients_xml_invalid',
    })
    writeFileSync(
      broker.clientsXml,
      `<thin-clients>${entry(`mac="${desk.macs[0] ?? ''}"`, 'rdp:second.example.org')}</thin-clients>`,
    )
    await until(async () => address(await desk.ask()) === 'second.example.org', {
      withinMs: 7_000,
      what: 'the good file is in force',
    })
    await broker.stop()
    await broker.start()
    t.equal(address(await desk.ask()), 'second.example.org', 'also after a restart')
  },
)
