import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Token } from '../../broker/api/users.js'
import { obstacles } from '../support/accessibility.js'
import { ApiClient } from '../support/api-client.js'
import { startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { PASSWORD, person, windowOf } from './pages-office.js'

t.setTimeout(240_000)
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await SimulatedBroker.start()
  browser = await startBrowser()
  for (const name of ['ann', 'olga']) await person(broker, name, [])
  await broker.admin.patch('/users/olga', { roles: ['observer'] })
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

interface Made {
  readonly token: string
}
const dialogue = (page: Page) => page.getByRole('dialog')
const listed = async (): Promise<Token[]> =>
  (await broker.admin.get<{ tokens: Token[] }>('/users/ann/tokens')).tokens

t.test(
  'an administrator sees what somebody may come in with, revokes one, and then all',
  async (t) => {
    const { token: login } = await broker.anybody.post<{ token: string }>('/login', {
      name: 'ann',
      password: PASSWORD,
    })
    const ann = new ApiClient(broker.url, broker.ca, login)
    const program = await ann.post<Made>('/tokens', {
      name: 'nightly',
      scopes: ['observe'],
    })
    const left = await ann.post<Made>('/tokens', { name: 'left behind' })
    const by = ({ token }: Made): ApiClient => new ApiClient(broker.url, broker.ca, token)
    const window = await windowOf(browser, broker, 'ann')
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/people/ann',
    })
    const table = page.getByRole('grid', { name: 'Access tokens' })
    const row = (text: string) => table.getByRole('row').filter({ hasText: text })
    await row('nightly').filter({ hasText: 'of a program' }).waitFor()
    await row('nightly').filter({ hasText: 'look at what you may see' }).waitFor()
    await row('of a login').filter({ hasText: 'all that the person may' }).waitFor()
    t.equal(await table.getByRole('row').count(), 4, 'the heading, a login, two programs')
    t.same(await obstacles(page), [])
    const html = await page.evaluate<string>('document.documentElement.outerHTML')
    for (const secret of [login, program.token, left.token]) t.notOk(html.includes(secret))

    await page.getByRole('button', { name: 'Revoke left behind' }).click()
    await dialogue(page).getByText('left behind is revoked immediately').waitFor()
    t.same(await obstacles(page), [])
    await dialogue(page).getByRole('button', { name: 'Cancel' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    t.match(await by(left).get('/whoami'), { name: 'ann' }, 'nothing was done yet')
    await page.getByRole('button', { name: 'Revoke left behind' }).click()
    await dialogue(page).getByRole('button', { name: 'Revoke' }).click()
    await row('left behind').waitFor({ state: 'detached' })
    t.match(await by(left).raw('GET', '/api/v1/whoami'), { status: 401 })
    t.match(await by(program).get('/whoami'), { name: 'ann' }, 'the others go on')
    t.match(await broker.rows("SELECT actor, object FROM event WHERE action = 'token.revoke'"), [
      { actor: 'admin', object: /left behind|ann/ },
    ])

    await page.getByRole('button', { name: /Actions for ann/ }).click()
    await page.getByRole('menuitem', { name: 'Log out everywhere' }).click()
    await dialogue(page).getByText('all tokens of programs').waitFor()
    await dialogue(page).getByRole('button', { name: 'Log out everywhere' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    await page.getByText('None. Tokens of logins and of programs would be here.').waitFor()
    t.same(await listed(), [])
    await window.page.goto(`${broker.url}/desktops`)
    await window.page.locator('#login-name').waitFor()
    t.same(faults, [])
    await window.close()
    await close()
  },
)

t.test('somebody who failed too often is let in again by a click', async (t) => {
  await broker.anybody.raw('POST', '/api/v1/login', { name: 'ann', password: 'wrong' })
  await broker.run(
    "UPDATE login_failure SET failures = 20, blocked_until = ? WHERE subject = 'account:ann'",
    Date.now() + 600_000,
  )
  t.match(await broker.admin.get('/users/ann'), { blockedUntil: String })
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/people/ann' })
  await page.getByRole('button', { name: /Actions for ann/ }).click()
  await page.getByRole('menuitem', { name: 'Unblock' }).click()
  await dialogue(page).getByRole('button', { name: 'Unblock' }).click()
  await dialogue(page).waitFor({ state: 'detached' })
  t.match(await broker.admin.get('/users/ann'), { blockedUntil: null })
  t.same(faults, [])
  await close()
})

t.test(
  'an observer sees them and is offered nothing; dark, on a phone, in Lithuanian',
  async (t) => {
    const { token: login } = await broker.anybody.post<{ token: string }>('/login', {
      name: 'ann',
      password: PASSWORD,
    })
    await new ApiClient(broker.url, broker.ca, login).post('/tokens', { name: 'seen' })
    const observer = await windowOf(browser, broker, 'olga', { path: '/people/ann' })
    await observer.page.getByRole('row').filter({ hasText: 'seen' }).waitFor()
    t.equal(await observer.page.getByRole('button', { name: /^Revoke/ }).count(), 0)
    t.same(observer.faults, [])
    await observer.close()
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/people/ann',
      phone: true,
      dark: true,
      language: 'lt',
    })
    await page.getByRole('row').filter({ hasText: 'seen' }).waitFor()
    t.same(await obstacles(page), [])
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'))
    t.same(faults, [])
    await close()
  },
)
