import t, { type Test } from 'tap'
import { openStore, type Store } from '../../../broker/store/open.js'
import { LoginLimits } from '../../../broker/users/login-limits.js'
import { emptyDatabase } from '../../support/database.js'

/** The limits on a store of their own, in memory. */
async function start(t: Test): Promise<{ store: Store; limits: LoginLimits }> {
  const store = await openStore(await emptyDatabase())
  t.teardown(async () => {
    await store.destroy()
  })
  return { store, limits: new LoginLimits(store, Date.now) }
}

t.test(
  'many devices at one address buy no tries without end, and one has its own bound',
  async (t) => {
    const { limits } = await start(t)
    let tried = 0
    const spray = async (): Promise<void> => {
      for (; tried < 1_000; tried++)
        await limits.begin(`name-${tried}`, {
          address: '10.0.0.1',
          device: `device-${Math.floor(tried / 10)}`,
        })
    }
    await t.rejects(spray(), { code: 'too_many_requests' })
    t.ok(tried <= 200, `${tried} names were tried`)
    await limits.begin('ann', { address: '10.0.0.2', device: 'elsewhere' })
    await limits.succeeded('ann', { address: '10.0.0.2', device: 'elsewhere' })
    await limits.begin('ann', { address: '10.0.0.1' })
    const guess = async (): Promise<void> => {
      for (let index = 0; index < 30; index++)
        await limits.begin(`other-${index}`, { address: '10.0.0.3', device: 'one' })
    }
    await t.rejects(guess(), { code: 'too_many_requests' }, 'one device alone')
  },
)

t.test('an IPv6 network is one address: its many addresses buy no tries', async (t) => {
  const { limits } = await start(t)
  let tried = 0
  const spray = async (): Promise<void> => {
    for (; tried < 200; tried++)
      await limits.begin(`name-${tried}`, { address: `2001:db8:1:2::${(tried + 1).toString(16)}` })
  }
  await t.rejects(spray(), { code: 'too_many_requests' })
  t.equal(tried, 100)
  await limits.begin('ann', { address: '2001:db8:1:3::1' })
})

t.test('a try that nobody could judge is given back, a wrong one stays', async (t) => {
  const { limits } = await start(t)
  const origin = { address: '10.0.0.1' }
  for (let again = 0; again < 20; again++)
    await t.rejects(
      limits.attempt('ann', origin, async () => await Promise.reject(new Error('away'))),
      { message: 'away' },
    )
  t.equal(await limits.attempt('ann', origin, async () => await Promise.resolve('in')), 'in')
  for (let again = 0; again < 5; again++)
    t.equal(await limits.attempt('ann', origin, async () => await Promise.resolve(null)), null)
  await t.rejects(
    limits.attempt('ann', origin, async () => await Promise.resolve('in')),
    { code: 'too_many_requests' },
  )
})

t.test('a clock that is set back locks nobody out until it has caught up', async (t) => {
  const { store, limits } = await start(t)
  const origin = { address: '10.0.0.1' }
  const guess = async (): Promise<void> => {
    for (let tries = 0; tries < 30; tries++) await limits.begin('ann', origin)
  }
  await t.rejects(guess(), { code: 'too_many_requests' })
  const hourMs = 3_600_000
  // As the rows of an hour ago look to a clock that went back by one hour since.
  await store
    .updateTable('login_failure')
    .set((eb) => ({
      last_at: eb('last_at', '+', hourMs),
      blocked_until: eb('blocked_until', '+', hourMs),
    }))
    .execute()
  await limits.begin('ann', origin)
  await t.rejects(guess(), { code: 'too_many_requests' }, 'and guessing is still bounded')
})

t.test('an IPv6 site has a bound of its own, above that of each network', async (t) => {
  const { limits } = await start(t)
  let tried = 0
  const spray = async (): Promise<void> => {
    for (; tried < 3_000; tried++)
      await limits.begin(`name-${tried}`, {
        address: `2001:db8:7:${Math.floor(tried / 50).toString(16)}::${(tried + 1).toString(16)}`,
      })
  }
  await t.rejects(spray(), { code: 'too_many_requests' })
  t.equal(tried, 1_000)
  await limits.begin('ann', { address: '2001:db8:8::1' })
  await limits.begin('ann', { address: '192.0.2.1' })
})

t.test('a clock that was put back locks nobody out for longer than any wait', async (t) => {
  const { store, limits } = await start(t)
  const day = 86_400_000
  await store
    .insertInto('login_failure')
    .values({
      subject: 'account:ann',
      failures: 9,
      last_at: Date.now() + day,
      blocked_until: Date.now() + day + 1_000,
    })
    .execute()
  t.equal(await limits.attempt('ann', { address: '10.0.0.1' }, async () => true), true)
})
