import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Grant } from '../../broker/api/permissions.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { addPerson, allow } from '../support/people.js'
import { office, poolOf, show } from '../broker/pools/office.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { windowOf } from './pages-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
  await addPerson(broker, 'ann')
  await poolOf(broker, 'class', 0)
  await poolOf(broker, 'lab', 0)
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const grants = async (): Promise<Grant[]> =>
  (await broker.admin.get<{ grants: Grant[] }>('/grants')).grants
const dialogue = (page: Page) => page.getByRole('dialog')
const may = (page: Page, verb: string) =>
  dialogue(page).getByRole('checkbox', { name: verb, exact: true })

t.test(
  'permissions that somebody has already are shown before they are replaced, and what he loses is said',
  async (t) => {
    await allow(broker, 'ann', ['start', 'stop', 'reset', 'accessConsole'], 'class', 'pool')
    const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/grants' })
    await page.getByRole('button', { name: 'Grant access' }).click()
    t.ok(await may(page, 'release').isChecked(), 'what is usual for one who has nothing')
    await dialogue(page)
      .getByLabel(/^On\s*\*?$/)
      .fill('class')
    await dialogue(page).getByLabel('Who').fill('Ann')
    await dialogue(page).getByText('Ann has these permissions there already').waitFor()
    t.same(
      await Promise.all(
        ['get and start', 'stop', 'reset', 'open the screen', 'release', 'extend'].map(
          async (verb) => await may(page, verb).isChecked(),
        ),
      ),
      [true, true, true, true, false, false],
    )
    await may(page, 'extend').check()
    t.equal(await dialogue(page).getByText('Saving takes away').count(), 0, 'nothing is lost')
    await may(page, 'stop').uncheck()
    await dialogue(page).getByText('Saving takes away from Ann on class: stop.').waitFor()
    t.same(await obstacles(page), [])
    await dialogue(page)
      .getByLabel(/^On\s*\*?$/)
      .fill('lab')
    t.ok(await may(page, 'release').isChecked(), 'there she has nothing yet')
    await dialogue(page)
      .getByLabel(/^On\s*\*?$/)
      .fill('class')
    await may(page, 'extend').check()
    await dialogue(page).getByRole('button', { name: 'Save' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    t.match(
      (await grants()).filter(({ object }) => object === 'class'),
      [{ verbs: ['start', 'stop', 'reset', 'accessConsole', 'extend'] }],
    )
    t.same(faults, [])
    await close()
  },
)

t.test(
  'a permission for somebody whom nobody knows is given, and said to wait for him; so is a desktop',
  async (t) => {
    const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/grants' })
    await page.getByRole('button', { name: 'Grant access' }).click()
    t.equal(
      await dialogue(page).locator('datalist option[value="ann"]').count(),
      1,
      'who is known is offered',
    )
    await dialogue(page)
      .getByLabel(/^On\s*\*?$/)
      .fill('class')
    await dialogue(page).getByLabel('Who').fill('bobb')
    await dialogue(page).getByText('No account of this name is known yet').waitFor()
    await dialogue(page).getByLabel('Who').fill('ANN')
    await dialogue(page)
      .getByText('No account of this name is known yet')
      .waitFor({ state: 'detached' })
    await poolOf(broker, 'desks', 2)
    await page.goto(`${broker.url}/pools/desks`)
    await page.getByRole('button', { name: /^Actions: / }).click()
    await page.getByRole('menuitem', { name: 'Assign a desktop' }).click()
    await dialogue(page).getByLabel('Name of the person').fill('bobb')
    await dialogue(page).getByText('No account of this name is known yet').waitFor()
    await dialogue(page).getByRole('button', { name: 'Assign a desktop' }).click()
    await dialogue(page)
      .getByText(/Nobody called bobb has logged in yet/)
      .waitFor()
    t.same(await obstacles(page), [])
    await dialogue(page).getByRole('button', { name: 'Close' }).last().click()
    await dialogue(page).waitFor({ state: 'detached' })
    const free =
      (await show(broker, 'desks')).members.find(({ holder }) => holder === null)?.machine ?? ''
    await page.getByRole('button', { name: `Actions for ${free}` }).click()
    await page.getByRole('menuitem', { name: 'Assign' }).click()
    await dialogue(page).getByLabel('Name of the person').fill('carll')
    await dialogue(page).getByRole('button', { name: 'Assign' }).click()
    await dialogue(page)
      .getByText(/Nobody called carll has logged in yet/)
      .waitFor()
    await dialogue(page).getByRole('button', { name: 'Close' }).last().click()
    await page.getByRole('row').filter({ hasText: 'carll' }).waitFor()
    t.same(faults, [])
    await close()
  },
)

t.test('permissions are changed and taken away at their row', async (t) => {
  await allow(broker, 'ann', ['start', 'stop'], 'lab', 'pool')
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/grants' })
  const menu = page.getByRole('button', {
    name: 'Actions for the permissions of ann on lab',
  })
  await menu.click()
  await page.getByRole('menuitem', { name: 'Change' }).click()
  await may(page, 'stop').uncheck()
  await dialogue(page).getByText('Saving takes away from ann on lab: stop.').waitFor()
  await dialogue(page).getByRole('button', { name: 'Save' }).click()
  await dialogue(page).waitFor({ state: 'detached' })
  t.match(
    (await grants()).filter(({ object }) => object === 'lab'),
    [{ verbs: ['start'] }],
  )
  await menu.click()
  await page.getByRole('menuitem', { name: 'Revoke' }).click()
  await dialogue(page).getByRole('button', { name: 'Revoke' }).click()
  await dialogue(page).waitFor({ state: 'detached' })
  t.same(
    (await grants()).filter(({ object }) => object === 'lab'),
    [],
  )
  t.same(faults, [])
  await close()
})
