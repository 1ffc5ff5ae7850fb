import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Token } from '../../broker/api/users.js'
import { obstacles } from '../support/accessibility.js'
import { ApiClient } from '../support/api-client.js'
import { startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { person, windowOf } from './pages-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await SimulatedBroker.start()
  browser = await startBrowser()
  await person(broker, 'ann', [])
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const dialogue = (page: Page) => page.getByRole('dialog')

t.test(
  'a person makes a token from her menu, which is shown once and kept nowhere, and revokes it',
  async (t) => {
    const { page, faults, close } = await windowOf(browser, broker, 'ann')
    await page.getByRole('button', { name: /^ann: / }).click()
    await page.getByRole('menuitem', { name: 'Access tokens' }).click()
    await page.waitForURL(/\/tokens$/)
    await page.getByText('No tokens').waitFor()
    await page.getByRole('button', { name: 'Create a token' }).click()
    await dialogue(page)
      .getByLabel(/^Name\s*\*?$/)
      .fill('nightly')
    await dialogue(page).getByLabel('May', { exact: true }).selectOption('some')
    t.ok(
      await dialogue(page).getByRole('button', { name: 'Create a token' }).isDisabled(),
      'something is to be chosen',
    )
    await dialogue(page).getByRole('checkbox', { name: 'look at what you may see' }).check()
    t.same(await obstacles(page), [])
    await dialogue(page).getByRole('button', { name: 'Create a token' }).click()
    await dialogue(page).getByText('Shown only once').waitFor()
    t.same(await obstacles(page), [])
    const token = await dialogue(page).getByRole('textbox').inputValue()
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await dialogue(page).getByRole('button', { name: 'Copy' }).click()
    t.equal(await page.evaluate('navigator.clipboard.readText()'), token)
    await page.keyboard.press('Escape')
    t.ok(await dialogue(page).isVisible(), 'a slip of a key does not lose it')
    const his = new ApiClient(broker.url, broker.ca, token)
    const { tokens } = await his.get<{ tokens: Token[] }>('/tokens')
    t.match(tokens, [{ name: 'nightly', scopes: ['observe'], expiresAt: String }])
    await dialogue(page).getByRole('button', { name: 'Done' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    await page
      .getByRole('row')
      .filter({ hasText: 'nightly' })
      .filter({ hasText: 'look at what you may see' })
      .waitFor()
    t.notOk(
      (
        await page.evaluate<string>(
          'JSON.stringify([document.documentElement.outerHTML, { ...localStorage }, { ' +
            '...sessionStorage }, location.href, history.state])',
        )
      ).includes(token),
    )
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Actions for nightly' }).click()
    await page.getByRole('menuitem', { name: 'Revoke' }).click()
    await dialogue(page).getByText('nightly is revoked immediately').waitFor()
    await dialogue(page).getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('No tokens').waitFor()
    await t.rejects(his.get('/tokens'), { message: /unknown or has expired/ })
    t.same(faults, [])
    await close()
  },
)

t.test(
  'a name that is taken is said in one sentence; in Lithuanian, dark, on a phone',
  async (t) => {
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/tokens',
      phone: true,
      dark: true,
      language: 'lt',
    })
    await page.getByRole('row').filter({ hasText: 'test' }).waitFor()
    t.same(await obstacles(page), [])
    t.ok(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'))
    await page.getByRole('button', { name: 'Sukurti raktą' }).click()
    await dialogue(page)
      .getByLabel(/^Pavadinimas/)
      .fill('test')
    await dialogue(page).getByRole('button', { name: 'Sukurti raktą' }).click()
    await dialogue(page).getByText('Prieigos raktas „test“ jau yra').waitFor()
    t.equal(
      await dialogue(page)
        .getByLabel(/^Pavadinimas/)
        .inputValue(),
      'test',
      'nothing is lost',
    )
    t.same(await obstacles(page), [])
    t.same(faults, [])
    await close()
  },
)
