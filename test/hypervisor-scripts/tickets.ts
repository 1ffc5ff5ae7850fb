import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { until } from '../support/until.js'
import { type HelperLine } from './helper-line.js'
import { uuidOf } from './prepared-host.js'
import { channelTypes, SpiceChannel } from './viewer.js'

export const name = 'pc-01'
export const password = (letter: string) => letter.repeat(32)

export const ticket = (line: HelperLine, letter: string, ttl_seconds: number, connected = 'keep') =>
  line.must('ticket', {
    domain: name,
    uuid: uuidOf(name),
    password: password(letter),
    ttl_seconds,
    connected,
  }) as Promise<{ tls_port: number; listen: string; valid_until_ms: number }>

async function channels(line: HelperLine): Promise<number[]> {
  const { items } = (await line.must('displays', { domains: [name] })) as {
    items: { spice: { channels: number }[] }[]
  }
  return (items[0]?.spice ?? []).map((viewer) => viewer.channels)
}

/** Opens channels at the domain's present port. */
export async function opener(host: FleetHost, line: HelperLine, port: number) {
  const ca = (await line.must('spice_certificate'))['ca'] as string
  return (letter: string, type: keyof typeof channelTypes, session = 0) =>
    SpiceChannel.open(
      { host: host.address, port, ca },
      password(letter),
      channelTypes[type],
      session,
    )
}

export async function tickets(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const before = Date.now()
  const { tls_port, listen, valid_until_ms } = await ticket(line, 'a', 30)
  t.equal(listen, '0.0.0.0')
  t.ok(
    valid_until_ms - before <= 30_000 && valid_until_ms - before > 27_000,
    'it lives at most 30 s',
  )
  const open = await opener(host, line, tls_port)
  t.equal(await open('x', 'main'), undefined, 'a wrong one is refused')
  const main = await open('a', 'main')
  t.ok(main, 'the right one is taken')
  t.ok(await open('a', 'inputs', main?.session), 'the next channels may use it')
  t.ok(await open('a', 'cursor', main?.session))
  t.same(await channels(line), [3])
  // Burned when the viewer has settled: 1.5 s and a look every 0.3 s.
  await until(async () => (await open('a', 'cursor', main?.session)) === undefined, {
    withinMs: 6000,
    everyMs: 2500,
    what: 'the ticket is burned',
  })
  t.ok((await channels(line))[0] ?? 0 >= 3, 'who is in stays in')
  await ticket(line, 'b', 30)
  t.ok((await channels(line))[0] ?? 0 >= 3, 'asking again cuts nobody')
  t.equal(
    await open('a', 'cursor', main?.session),
    undefined,
    'the new ticket replaces the old one',
  )
  await ticket(line, 'c', 30, 'disconnect')
  await until(() => main?.closed, { withinMs: 3000, what: 'takeover cuts the viewer' })
  const other = await open('c', 'main')
  t.ok(other, 'and the other one gets in')
  t.same(await line.must('disconnect', { domain: name, uuid: uuidOf(name) }), {})
  await until(async () => other?.closed === true && (await channels(line)).length === 0, {
    withinMs: 3000,
    what: 'everybody is cut',
  })
  t.equal(await open('c', 'main'), undefined, 'and cannot come back')
  t.equal(await line.refusal('disconnect', { domain: 'none', uuid: uuidOf('none') }), 'not_found')
}

export async function oldTickets(t: Test, host: FleetHost, line: HelperLine): Promise<void> {
  const { tls_port } = await ticket(line, 'd', 3)
  const start = performance.now()
  const open = await opener(host, line, tls_port)
  await until(() => performance.now() - start > 3000, {
    withinMs: 4000,
    what: 'three seconds are over',
  })
  t.equal(await open('d', 'main'), undefined)
  t.equal(
    await line.refusal('ticket', {
      domain: 'none',
      uuid: uuidOf('none'),
      password: password('a'),
      ttl_seconds: 5,
      connected: 'keep',
    }),
    'not_found',
  )
}
