import t, { type Test as T } from 'tap'
import { openSsh, scanHostKey } from '../../../broker/hypervisors/ssh-connection.js'
import { until } from '../../support/until.js'
import { SshHost } from './ssh-host.js'

t.setTimeout(240_000)
const soon = { withinMs: 15_000, everyMs: 5 }

async function place(t: T): Promise<SshHost> {
  const host = await SshHost.start()
  t.teardown(async () => {
    await host.stop()
  })
  return host
}

t.test('a host that hangs up at any byte of a new connection is tried again at once', async (t) => {
  const host = await place(t)
  const probe = host.open()
  await probe.link.untilUp(15_000)
  await probe.link.close()
  // In its first line, after it, in the key exchange, before and after the login, in the helper's
  // channel, in its answers.
  for (const bytes of [0, 3, 40, 400, 1_000, 1_600, 1_900, 2_000, 2_100]) {
    const first = host.accepted + 1
    host.cutAfter = (connection) => (connection === first ? bytes : null)
    const { link, statuses } = host.open()
    await until(() => link.status().state === 'up' && host.accepted > first, {
      ...soon,
      what: `the connection is up after the host hung up at byte ${bytes}`,
    })
    t.match(statuses[0], { state: 'unreachable' }, `byte ${bytes}: ${statuses[0]?.reason ?? ''}`)
    await link.close()
  }
})

t.test('a visit and a look at the host key end too when the host hangs up', async (t) => {
  const host = await place(t)
  for (const bytes of [0, 40, 400]) {
    host.cutAfter = () => bytes
    await t.rejects(scanHostKey('127.0.0.1', host.port), { code: 'hypervisor_unreachable' })
    const { link } = host.open()
    t.match(await link.visit(), { fault: 'failed' }, `byte ${bytes}`)
    await link.close()
  }
  const target = {
    name: 'hv1',
    address: '127.0.0.1',
    port: host.port,
    hostKeyFingerprint: host.fingerprint,
  }
  host.cutAfter = () => 40
  await t.rejects(openSsh(target, '', AbortSignal.timeout(60_000)))
})

t.test('a helper that answers no ping any more is replaced', async (t) => {
  const host = await place(t)
  const { link, statuses } = host.open({ factsEveryMs: 50, pingMs: 50 })
  await link.untilUp(15_000)
  const hung = host.helpers
  host.answers = (helper) => helper !== hung
  await until(() => host.helpers > hung && link.status().state === 'up', {
    ...soon,
    what: 'another helper serves the connection',
  })
  t.ok(statuses.some(({ reason }) => reason.includes('helper on hv1 does not answer')))
  t.same(await link.request('facts', {}), {})
  await link.close()
})

t.test(
  'a channel that the host does not open ends the attempt, and the next one succeeds',
  async (t) => {
    const host = await place(t)
    host.opens = (channel) => channel > 1
    const { link, statuses } = host.open({ channelMs: 100 })
    await link.untilUp(15_000)
    t.match(statuses, [
      { state: 'unreachable', reason: /did not open a channel within 0\.1 s/ },
      { state: 'up' },
    ])
    await link.close()
  },
)

t.test('a wish for another attempt ends the one that hangs, wherever it hangs', async (t) => {
  for (const hang of ['channel', 'helper'] as const) {
    const host = await place(t)
    let hangs = true
    host.opens = () => hang !== 'channel' || !hangs
    host.answers = () => hang !== 'helper' || !hangs
    const { link } = host.open({ channelMs: 60_000, helloMs: 60_000 })
    await until(() => host.accepted === 1, { ...soon, what: 'the first attempt has begun' })
    if (hang === 'helper')
      await until(() => host.helpers === 1, { ...soon, what: 'the helper is there' })
    hangs = false
    const beganMs = performance.now()
    link.reconnect()
    await link.untilUp(15_000)
    t.ok(performance.now() - beganMs < 5_000, hang)
    t.equal(host.accepted, 2)
    await link.close()
  }
})

t.test('a link that is closed ends at any moment of an attempt', async (t) => {
  const host = await place(t)
  host.opens = () => false
  const { link } = host.open({ channelMs: 60_000 })
  await until(() => host.accepted === 1, { ...soon, what: 'it connects' })
  const beganMs = performance.now()
  await link.close()
  t.ok(performance.now() - beganMs < 5_000)
})
